"""The header `Range`: which bytes of a representation are asked for (RFC 9110, section 14). Pure."""

import re
from typing import Final, NamedTuple

_FORM: Final = re.compile(r"bytes=[ \t]*(?:([0-9]+)-([0-9]*)|-([0-9]+))[ \t]*", re.ASCII | re.IGNORECASE)
# No position in a log has more digits; longer ones are not converted.
_MOST_DIGITS: Final = 18


class ByteRange(NamedTuple):
    """Bytes from `start` to before `end`."""

    start: int
    end: int


class UnsatisfiableRangeError(Exception):
    """Nothing of what is asked for is there."""


def parse_range(header: str | None, total: int) -> ByteRange | None:
    """Return what a single range means for so many bytes; None: everything is to be sent.

    So it is without the header, for other units, for several ranges, and for what is malformed: a server may ignore
    them. Raises `UnsatisfiableRangeError`.
    """
    match = _FORM.fullmatch(header) if header is not None else None
    if match is None or any(len(number or "") > _MOST_DIGITS for number in match.groups()):
        return None
    if match[3] is not None:
        start, end = max(0, total - int(match[3])), total
    else:
        start = int(match[1])
        end = min(total, int(match[2]) + 1) if match[2] else total
        if match[2] and int(match[2]) < start:
            return None
    if start >= end:
        raise UnsatisfiableRangeError
    return ByteRange(start, end)
