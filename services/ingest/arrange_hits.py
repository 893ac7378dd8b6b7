"""Hits of a search as a page shows them: by job, its lines in order, what is around them put together. Pure."""

from collections.abc import Iterable, Sequence

import msgspec

from services.ingest.search_excerpt import Span
from services.ingest.search_logs import SearchHit

# Text, and whether it is what was searched for.
Piece = tuple[str, bool]


class PageLine(msgspec.Struct, frozen=True):
    """A line. `url` leads to it; `follows` tells whether it stands right below the line before."""

    number: int
    pieces: list[Piece]
    is_hit: bool
    level: str | None
    url: str
    follows: bool


class JobHits(msgspec.Struct, frozen=True):
    """The lines of one attempt: `newest` is the hit that was found first."""

    newest: SearchHit
    hit_count: int
    lines: list[PageLine]


def arrange_hits(hits: Iterable[SearchHit]) -> list[JobHits]:
    """Return the hits by job and attempt, in the order in which these were found."""
    groups: dict[object, list[SearchHit]] = {}
    for hit in hits:
        groups.setdefault((hit.job_id, hit.attempt), []).append(hit)
    return [JobHits(group[0], len(group), _lines_of(group)) for group in groups.values()]


def _lines_of(hits: Sequence[SearchHit]) -> list[PageLine]:
    found = {hit.line: hit for hit in hits}
    near = {line.line: line.text for hit in hits for line in (*hit.before, *hit.after)}
    path = hits[0].url.partition("#")[0]
    lines: list[PageLine] = []
    for number in sorted(found.keys() | near.keys()):
        hit = found.get(number)
        lines.append(
            PageLine(
                number=number + 1,
                pieces=[(near[number], False)] if hit is None else _pieces(hit),
                is_hit=hit is not None,
                level=None if hit is None else hit.level,
                url=f"{path}#L{number + 1}",
                follows=bool(lines) and lines[-1].number == number,
            )
        )
    return lines


def _pieces(hit: SearchHit) -> list[Piece]:
    """Return the text of a hit, cut where what matches begins and ends."""
    pieces: list[Piece] = [("…", False)] if hit.omitted_before else []
    pieces += cut_at(hit.text, hit.matches)
    return [*pieces, ("…", False)] if hit.omitted_after else pieces


def cut_at(text: str, matches: Iterable[Span]) -> list[Piece]:
    """Return a text in pieces; matches are in order and do not overlap."""
    pieces: list[Piece] = []
    position = 0
    for start, end in matches:
        pieces += [(text[position:start], False), (text[start:end], True)]
        position = end
    pieces.append((text[position:], False))
    return [piece for piece in pieces if piece[0]]
