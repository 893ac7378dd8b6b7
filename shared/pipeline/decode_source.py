"""From bytes to text that YAML allows, with nothing in it that YAML 1.1 and 1.2 read differently."""

import re

from shared.pipeline.limits import MAX_FILE_BYTES
from shared.pipeline.locate import mark_end
from shared.pipeline.problem import START, ProblemList

_UTF8_BOM = b"\xef\xbb\xbf"

# YAML 1.2, section 5.1, without the three that YAML 1.1, and so the parser, takes for line breaks.
_REFUSED = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]",
)


def decode_source(source: bytes, problems: ProblemList) -> str:
    """Return the file's text.

    Raises `StopReading` if it is too large, not UTF-8, or holds control characters.
    """
    if len(source) > MAX_FILE_BYTES:
        problems.stop(START, "", f"the file has {len(source)} bytes; at most {MAX_FILE_BYTES} are allowed")
    body = source.removeprefix(_UTF8_BOM)
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        before = body[: error.start].decode()
        byte = body[error.start]
        problems.stop(
            mark_end(before),
            "",
            f"not UTF-8: the byte 0x{byte:02x} fits no character",
            "save the file as UTF-8",
        )
    refused = _REFUSED.search(text)
    if refused:
        code = ord(refused.group())
        hint = None if code == 0 else f'within double quotes it can be written as "\\u{code:04x}"'
        problems.stop(
            mark_end(text[: refused.start()]),
            "",
            f"the character U+{code:04X} is not allowed in the file",
            hint,
        )
    return text
