"""Places in the text of a file."""

import re
from typing import Protocol

from shared.pipeline.problem import START, Mark

_LINE_BREAK = re.compile(r"\r\n?|\n")


class YamlMark(Protocol):
    """A mark of either parser, the one in C or the one in Python."""

    @property
    def line(self) -> int:
        """Counts from 0."""

    @property
    def column(self) -> int:
        """Counts from 0."""


def split_lines(text: str) -> list[str]:
    """Return the lines as YAML 1.2 counts them, without their ends."""
    return _LINE_BREAK.split(text)


def mark_end(text: str) -> Mark:
    """Return the place right after the text."""
    lines = split_lines(text)
    return Mark(len(lines), len(lines[-1]) + 1)


def convert_mark(mark: YamlMark | None) -> Mark:
    """Return the parser's mark, which counts from 0, as ours."""
    return Mark(mark.line + 1, mark.column + 1) if mark else START
