"""Cursors of a run's stream: what was delivered is what they say, on any replica, and nonsense is refused."""

import base64
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.problem_details import Problem
from services.ingest.row_cursor import ChunkCursor
from services.ingest.run_cursor import RunCursor, read_run_cursor

PLACES = st.dictionaries(
    st.integers(0, 300),
    st.one_of(st.none(), st.builds(ChunkCursor, st.integers(0, 2**31 - 1), st.integers(0, 2**63 - 1))),
    max_size=40,
)


@given(PLACES)
def test_a_cursor_is_read_as_it_was_written(places: dict[int, ChunkCursor | None]) -> None:
    cursor = RunCursor()
    for place, at in places.items():
        if at is None:
            cursor.finish(place)
        else:
            cursor.move(place, at)
    read = read_run_cursor(str(cursor))
    assert str(read) == str(cursor)
    for place in range(302):
        at = places.get(place)
        assert read.is_delivered(place) == (place in places and at is None)
        assert read.at(place) == (at or ChunkCursor(0, 0))


def test_a_cursor_of_many_jobs_is_short() -> None:
    cursor = RunCursor()
    for place in range(500):
        cursor.finish(place)
    for place in range(500, 520):
        cursor.move(place, ChunkCursor(1, 3000))
    assert len(str(cursor)) < 120


@given(st.text(max_size=60))
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    with suppress(Problem):
        assert str(read_run_cursor(str(read_run_cursor(text)))) == str(read_run_cursor(text))


@pytest.mark.parametrize(
    "numbers",
    [
        b"", b"\x02\x00\x00", b"\x01\x00", b"\x01\x00\x01\x00\x01", b"\x01\xff\xff\x7f\x00", b"\x01\x00\x00\x80",
        b"\x01" + b"\xff" * 12,
    ],
)  # fmt: skip
def test_numbers_that_cannot_be_are_refused(numbers: bytes) -> None:
    with pytest.raises(Problem):
        read_run_cursor(base64.urlsafe_b64encode(numbers).decode().rstrip("="))


def test_a_cursor_too_long_to_be_one_is_refused() -> None:
    with pytest.raises(Problem):
        read_run_cursor("A" * 100_000)
