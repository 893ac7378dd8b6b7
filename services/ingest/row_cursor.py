"""Where a stream stands: the ids of server-sent events, and what `Last-Event-ID` brings back."""

import re
from typing import Final, NamedTuple

from services.ingest.problem_details import bad_field

_FORM: Final = re.compile(r"([0-9]{1,19})-([0-9]{1,19})", re.ASCII)
_MOST: Final = 2**63 - 1
_MOST_EPOCH: Final = 2**31 - 1


class RowCursor(NamedTuple):
    """A place in the streams over all jobs and all events."""

    tx_id: int
    row_id: int

    def __str__(self) -> str:
        return f"{self.tx_id}-{self.row_id}"


class ChunkCursor(NamedTuple):
    """A place in the log of one job. (0, 0): before everything."""

    epoch: int
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.seq}"


def read_row_cursor(text: str) -> RowCursor:
    """Return the cursor that `text` is. Raises `Problem`."""
    return RowCursor(*_numbers(text, _MOST))


def read_chunk_cursor(text: str) -> ChunkCursor:
    """Return the cursor that `text` is. Raises `Problem`."""
    return ChunkCursor(*_numbers(text, _MOST_EPOCH))


def _numbers(text: str, most_first: int) -> tuple[int, int]:
    match = _FORM.fullmatch(text)
    if match is None or int(match[1]) > most_first or int(match[2]) > _MOST:
        raise bad_field("Last-Event-ID", "it is not the id of an event of this stream")
    return int(match[1]), int(match[2])
