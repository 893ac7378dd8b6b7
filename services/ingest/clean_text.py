"""Text from outside, made fit for a column and a line on a page."""

import re
from typing import Annotated, Final

from msgspec import Meta

# PostgreSQL's text cannot hold NUL; other control characters have no place in a name or a title.
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_LENGTH: Final = 200
_READ: Final = 4000

# One line of text that a person wrote: no control characters.
LINE_PATTERN: Final = r"^[^\x00-\x1f\x7f]{1,200}$(?!\n)"
Line = Annotated[str, Meta(pattern=LINE_PATTERN)]

# Any text that a column can hold.
STORABLE_PATTERN: Final = r"^[^\x00]*$"


def first_line(text: str) -> str:
    """Return the first line that says something, without control characters, of at most 200 characters."""
    for line in text[:_READ].splitlines():
        if cleaned := _CONTROLS.sub(" ", line).strip():
            return cleaned if len(cleaned) <= _LENGTH else cleaned[: _LENGTH - 1] + "…"
    return ""
