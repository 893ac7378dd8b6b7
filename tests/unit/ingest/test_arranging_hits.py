"""Hits are shown by job, each line once, in order, in pieces that put together are the line."""

from datetime import UTC, datetime
from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.arrange_hits import arrange_hits, cut_at
from services.ingest.search_logs import NearLine, SearchHit
from shared.ids import JobId, new_id
from shared.queries.models import JobState

JOB = JobId(new_id())
OTHER = JobId(new_id())


def hit(line: int, *, job: JobId = JOB, attempt: int = 1, text: str = "found it", context: int = 2) -> SearchHit:
    return SearchHit(
        job_id=job,
        job_key="test",
        job_state=JobState.FAILED,
        run_id=None,
        run_number=None,
        pipeline=None,
        branch=None,
        attempt=attempt,
        line=line,
        step=0,
        stream="stdout",
        at=datetime(2026, 1, 1, tzinfo=UTC),
        level=None,
        text=text,
        matches=[(0, 5)],
        omitted_before=0,
        omitted_after=0,
        before=[NearLine(number, f"line {number}") for number in range(max(0, line - context), line)],
        after=[NearLine(number, f"line {number}") for number in range(line + 1, line + 1 + context)],
        url=f"/jobs/{job}?attempt={attempt}#L{line + 1}",
    )


def test_the_hits_of_an_attempt_stand_together_where_its_newest_was_found() -> None:
    groups = arrange_hits([hit(90), hit(5, job=OTHER), hit(10), hit(7, attempt=2)])
    assert [(group.newest.job_id, group.newest.attempt, group.hit_count) for group in groups] == [
        (JOB, 1, 2),
        (OTHER, 1, 1),
        (JOB, 2, 1),
    ]


@given(st.sets(st.integers(0, 60), min_size=1))
def test_every_line_is_there_once_in_order_and_gaps_are_told(numbers: set[int]) -> None:
    (group,) = arrange_hits([hit(number) for number in sorted(numbers, reverse=True)])
    shown = [line.number for line in group.lines]
    wanted = {near for number in numbers for near in range(max(0, number - 2), number + 3)}
    assert shown == sorted(number + 1 for number in wanted)
    assert {line.number - 1 for line in group.lines if line.is_hit} == numbers
    assert not group.lines[0].follows
    for before, line in pairwise(group.lines):
        assert line.follows == (line.number == before.number + 1)
    for line in group.lines:
        assert line.url == f"/jobs/{JOB}?attempt=1#L{line.number}"


def test_what_is_left_out_of_a_hit_is_seen() -> None:
    (group,) = arrange_hits([msgspec.structs.replace(hit(1, context=0), omitted_before=5, omitted_after=9)])
    assert group.lines[0].pieces == [("…", False), ("found", True), (" it", False), ("…", False)]


@given(st.text(max_size=30), st.lists(st.integers(0, 30), max_size=8, unique=True))
def test_pieces_are_the_text(text: str, cuts: list[int]) -> None:
    edges = sorted(cut for cut in cuts if cut <= len(text))
    matches = list(zip(edges[::2], edges[1::2], strict=False))
    pieces = cut_at(text, matches)
    assert "".join(piece for piece, _ in pieces) == text
    assert [piece for piece, found in pieces if found] == [text[start:end] for start, end in matches]
