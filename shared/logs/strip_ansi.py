"""The text of a log's bytes, as it is searched and judged: what a terminal does not show is left out. Pure."""

import re
from typing import Final

# Control sequences, operating system commands and the like (until BEL or ST), and two-character escapes: ECMA-48.
# The one byte that all begin with stands in front: only so is it looked for at the speed of `bytes.find`.
_ESCAPE: Final = re.compile(r"\x1b(?:\[[0-9:;<=>?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)|[ -/]*[0-Z\\^-~])")
_ESCAPE_BYTES: Final = re.compile(_ESCAPE.pattern.encode())
# All controls but tab, line feed and carriage return.
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]+")
_CONTROL_BYTES: Final = bytes(code for code in (*range(0x20), 0x7F) if code not in b"\t\n\r")


def plain_text(data: bytes) -> str:
    """Return bytes of a log as text, without control sequences and control characters but tabs and ends of lines.

    What is no UTF-8 becomes U+FFFD.
    """
    text = data.decode("utf-8", "replace")
    if len(data.translate(None, _CONTROL_BYTES)) == len(data):
        return text
    if "\ufffd" in text:
        return strip_ansi(text)
    # In UTF-8, no byte of a longer character is one of ASCII: bytes can be left out before decoding, which is faster.
    return _ESCAPE_BYTES.sub(b"", data).translate(None, _CONTROL_BYTES).decode()


def strip_ansi(text: str) -> str:
    """Return the text without control sequences, and without control characters but tabs and ends of lines."""
    if "\x1b" in text:
        text = _ESCAPE.sub("", text)
    return _CONTROLS.sub("", text) if _CONTROLS.search(text) else text
