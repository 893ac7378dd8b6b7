"""A line as a hit shows it: what is around its first match, and the places of all that match. Pure."""

from collections.abc import Iterable
from itertools import islice
from typing import Final

import msgspec

from services.ingest.search_terms import LogQuery, find_phrase
from shared.logs.split_words import find_words

_MOST_SHOWN: Final = 1000
# Of a line that only shows where a hit stands.
_MOST_CONTEXT: Final = 500
# So much of what stands before the first match is shown of a longer line.
_LEAD: Final = 200
_MOST_MATCHES: Final = 100

Span = tuple[int, int]


class Excerpt(msgspec.Struct, frozen=True):
    """Text of a line; so many characters of it are left out before and after.

    `matches` are [start, end) in the text, in characters (Unicode code points), in order; they never overlap.
    """

    text: str
    matches: list[Span]
    omitted_before: int = 0
    omitted_after: int = 0


def show_excerpt(line: str, matches: Iterable[Span] = ()) -> Excerpt:
    """Return a line around what first matches in it; of what a progress bar wrote over itself, only that state."""
    spans = _merge(matches)
    begin, stop = _state_at(line, spans[0][0] if spans else len(line))
    start = begin
    if stop - begin > _MOST_SHOWN:
        start = max(begin, min(spans[0][0] - _LEAD, stop - _MOST_SHOWN)) if spans else begin
        stop = start + _MOST_SHOWN
    shown = [
        (max(first, start) - start, min(last, stop) - start) for first, last in spans if first < stop and last > start
    ]
    return Excerpt(line[start:stop], shown[:_MOST_MATCHES], start, len(line) - stop)


def show_context(line: str) -> str:
    """Return a line as it stands around a hit: what a progress bar wrote last, and not too much of it."""
    return line.removesuffix("\r").rpartition("\r")[2][:_MOST_CONTEXT]


def _state_at(line: str, place: int) -> tuple[int, int]:
    """Return where, between carriage returns, the part of a line begins and ends that holds a place."""
    end = line.find("\r", place)
    return line.rfind("\r", 0, place) + 1, len(line) if end < 0 else end


def find_matches(line: str, query: LogQuery) -> list[Span]:
    """Return where the phrases of a query stand in a line that it means, as [start, end)."""
    found = find_words(line)
    words = [word for word, _, _ in found]
    return [
        (found[at][1], found[at + len(phrase) - 1][2])
        for phrase in query.required
        for at in islice(find_phrase(words, phrase), _MOST_MATCHES)
    ]


def _merge(matches: Iterable[Span]) -> list[Span]:
    """Return spans in order, those that overlap as one."""
    merged: list[Span] = []
    for start, end in sorted(matches):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
