"""What to look for in the lines of one log: a text, or a regular expression in the syntax of RE2. Pure.

RE2 takes time by the length of what is searched, whatever the expression.
"""

import re
from collections.abc import Iterator
from typing import Final, Protocol

import re2

from services.ingest.problem_details import Problem, bad_field
from shared.logs.lower_text import lower_text

MOST_PATTERN: Final = 1000
# Where the automaton would take more memory, its states are followed one by one: that takes time by their number.
_MOST_MEMORY: Final = 4 * 1024 * 1024
_MOST_PROGRAM: Final = 5000
_MOST_MATCHES: Final = 100
# What means the beginning or the end of all that is searched, or any byte, cannot be looked for in many lines at once.
_NOT_BY_LINES: Final = re.compile(r"\\[AzC]|\(\?[a-zA-Z]*-")

Span = tuple[int, int]
# A line that matches: where it begins and ends in its text, and where in the line what matches stands.
Hit = tuple[int, int, list[Span]]


class LinePattern(Protocol):
    """Finds lines."""

    def find(self, text: str) -> Iterator[Hit]:
        """Yield the lines of a text that match, in order. Each line of the text ends with a newline."""


def read_pattern(pattern: str, *, regex: bool, case: bool) -> LinePattern:
    """Return what finds the lines. `case`: upper and lower case are told apart. Raises `Problem`."""
    if not pattern:
        raise bad_field("q", "give the text that the lines hold")
    if "\n" in pattern:
        raise bad_field("q", "it holds a line break, which no line does")
    if not regex:
        return TextPattern(pattern, case=case)
    return RegexPattern(_compile(pattern, case=case), by_line=_NOT_BY_LINES.search(pattern) is not None)


class TextPattern:
    """Lines that hold a text."""

    def __init__(self, wanted: str, *, case: bool) -> None:
        self._wanted = wanted if case else lower_text(wanted)
        self._case = case

    def find(self, text: str) -> Iterator[Hit]:
        """See `LinePattern`."""
        searched = text if self._case else lower_text(text)
        if len(searched) != len(text):
            # A letter that is two in lower case: only within its line are places not what they seem.
            yield from self._find_line_by_line(text)
            return
        position = 0
        while (at := searched.find(self._wanted, position)) >= 0:
            start = searched.rfind("\n", position, at) + 1 or position
            end = searched.find("\n", at)
            yield start, end, self._spans(searched[start:end])
            position = end + 1

    def _find_line_by_line(self, text: str) -> Iterator[Hit]:
        start = 0
        for line in text.split("\n")[:-1]:
            lower = lower_text(line)
            if self._wanted in lower:
                # Letter by letter, so that none is shown that does not match; the whole line, if none is found so.
                letters = ((letter, lower_text(letter)) for letter in line)
                spans = self._spans("".join(one if len(one) == 1 else letter for letter, one in letters))
                yield start, start + len(line), spans or [(0, len(line))]
            start += len(line) + 1

    def _spans(self, line: str) -> list[Span]:
        spans: list[Span] = []
        at = line.find(self._wanted)
        while at >= 0 and len(spans) < _MOST_MATCHES:
            spans.append((at, at + len(self._wanted)))
            at = line.find(self._wanted, at + len(self._wanted))
        return spans


class RegexPattern:
    """Lines that match a regular expression."""

    def __init__(self, compiled: re2._Regexp, *, by_line: bool) -> None:
        self._compiled = compiled
        self._by_line = by_line

    def find(self, text: str) -> Iterator[Hit]:
        """See `LinePattern`."""
        data = text.encode("utf-8", "replace")
        is_ascii = len(data) == len(text)
        # Where in the text and in its bytes the line begins that is looked at.
        start, position = 0, 0
        while position < len(data):
            if not self._by_line:
                found = self._compiled.search(data, position)
                # Behind the last newline is no line.
                if found is None or found.span()[0] == len(data):
                    return
                next_position = data.rfind(b"\n", position, found.span()[0]) + 1 or position
                start += next_position - position if is_ascii else len(data[position:next_position].decode())
                position = next_position
            end = data.find(b"\n", position)
            line = data[position:end]
            length = len(line) if is_ascii else len(line.decode())
            # Many lines at once may match over the end of one, as the pattern alone says that it must not.
            if (spans := self._spans(line)) is not None:
                yield start, start + length, spans
            start += length + 1
            position = end + 1

    def _spans(self, line: bytes) -> list[Span] | None:
        """Return where a line matches, in characters; None: nowhere. What matches nothing is no place."""
        is_ascii = line.isascii()
        spans: list[Span] = []
        position = 0
        found = self._compiled.search(line)
        if found is None:
            return None
        while found is not None and len(spans) < _MOST_MATCHES:
            start, end = found.span()
            if end > start:
                spans.append((start, end) if is_ascii else (len(line[:start].decode()), len(line[:end].decode())))
            position = max(end, position) if end > start else end + 1
            found = self._compiled.search(line, position) if position <= len(line) else None
        return spans


def _compile(pattern: str, *, case: bool) -> re2._Regexp:
    options = re2.Options()
    options.max_mem = _MOST_MEMORY
    options.log_errors = False
    options.never_nl = True
    options.case_sensitive = case
    try:
        # By itself at first: in brackets, a pattern might be complete that is none.
        re2.compile(pattern, options)
        compiled = re2.compile(f"(?m:{pattern})", options)
    except re2.error as error:
        raise _bad_pattern(pattern, error) from None
    finally:
        # It would keep a hundred of them.
        re2.purge()
    if compiled.programsize > _MOST_PROGRAM:
        raise bad_field(
            "q", f"the pattern is too large: it compiles to {compiled.programsize} steps of at most {_MOST_PROGRAM}"
        )
    return compiled


def _bad_pattern(pattern: str, error: re2.error) -> Problem:
    told = error.args[0] if error.args else b""
    text = told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)
    message, _, part = text.partition(": ")
    at = pattern.find(part) if part else -1
    where = f" at character {at + 1}, `{part}`" if at >= 0 and part != pattern else ""
    return bad_field("q", f"the regular expression cannot be read: {message}{where}")
