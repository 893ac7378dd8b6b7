"""The text of a log's bytes, as it is searched and judged: what a terminal does not show is left out. Pure."""

import re
from typing import Final

# Control sequences, operating system commands and the like (until BEL or ST), and two-character escapes: ECMA-48.
_ESCAPE: Final = re.compile(
    r"\x1b\[[0-9:;<=>?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-Z\\^-~]"
)
# All controls but tab, line feed and carriage return.
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]+")


def plain_text(data: bytes) -> str:
    """Return bytes of a log as text, without control sequences and control characters but tabs and ends of lines.

    What is no UTF-8 becomes U+FFFD.
    """
    return strip_ansi(data.decode("utf-8", "replace"))


def strip_ansi(text: str) -> str:
    """Return the text without control sequences, and without control characters but tabs and ends of lines."""
    if "\x1b" in text:
        text = _ESCAPE.sub("", text)
    return _CONTROLS.sub("", text) if _CONTROLS.search(text) else text
