"""Making text from outside fit for one line of a chat message."""

import re
from typing import Final

_ELLIPSIS: Final = "…"
_LINE_BREAKING: Final = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]+")
# Marks that reorder what stands around them, and what is no character at all.
_DISGUISING: Final = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def clean_text(text: str, limit: int) -> str:
    """Return the text as one line without control characters, cut to `limit` UTF-16 units."""
    return cut_text(_LINE_BREAKING.sub(" ", _DISGUISING.sub("", text)).strip(), limit)


def text_length(text: str) -> int:
    """Return the length in UTF-16 units: what chat services count at most."""
    return len(text) + sum(character > "\uffff" for character in text)


def cut_text(text: str, limit: int) -> str:
    """Return the text, cut to `limit` UTF-16 units; an ellipsis shows where."""
    if text_length(text) <= limit:
        return text
    kept = text[: limit - 1]
    while text_length(kept) > limit - 1:
        kept = kept[:-1]
    return kept.rstrip() + _ELLIPSIS


def fit_lines(lines: list[str], limit: int) -> str:
    """Return as many whole lines as fit into `limit` UTF-16 units, and how many were left out."""
    kept: list[str] = []
    length = 0
    for number, line in enumerate(lines):
        rest = len(lines) - number - 1
        closing = f"… and {rest} more" if rest else ""
        if length + text_length(line) + 1 + text_length(closing) > limit:
            kept.append(f"… and {rest + 1} more")
            break
        kept.append(line)
        length += text_length(line) + 1
    return "\n".join(kept)
