"""The pace of reading: at once after a pause, together when lines are close, without a stop when there is much."""

import pytest

from services.executor.pace_reading import GATHER_BYTES, GATHER_SECONDS, ReadingPace


def readings(pace: ReadingPace, *, line_bytes: int, every: float, lines: int) -> int:
    """Return how many readings it takes until so many lines, which come at a steady pace from time 1 on, are read."""
    now, read, count = 1.0, 0, 0
    while read < lines:
        come = min(lines, int((now - 1.0) / every + 1e-9) + 1)
        if come == read:
            now = 1.0 + read * every
            continue
        count += 1
        now += pace.pause_after((come - read) * line_bytes, now)
        read = come
    return count


def test_what_comes_after_a_pause_is_read_at_once_and_alone() -> None:
    assert readings(ReadingPace(), line_bytes=100, every=2 * GATHER_SECONDS, lines=50) == 50


def test_lines_that_come_one_after_the_other_are_read_together() -> None:
    assert readings(ReadingPace(), line_bytes=100, every=GATHER_SECONDS / 20, lines=1000) == pytest.approx(50, abs=3)


def test_the_pause_ends_with_the_spell_it_began_in() -> None:
    pace = ReadingPace()
    assert pace.pause_after(100, 1.0) == GATHER_SECONDS
    # The other stream broke it off.
    assert pace.pause_after(100, 1.0 + GATHER_SECONDS / 4) == pytest.approx(GATHER_SECONDS * 3 / 4)


def test_a_fast_command_is_never_stopped_after_its_first_spell() -> None:
    pace = ReadingPace()
    pauses = [pace.pause_after(GATHER_BYTES // 4, 1.0 + number * GATHER_SECONDS / 8) for number in range(400)]
    assert not any(pauses[3:])


def test_a_command_that_has_become_slow_is_given_pauses_again() -> None:
    pace = ReadingPace()
    for number in range(40):
        pace.pause_after(GATHER_BYTES, 1.0 + number * GATHER_SECONDS / 4)
    assert pace.pause_after(100, 5.0) == GATHER_SECONDS


def test_nothing_read_asks_for_no_pause() -> None:
    assert ReadingPace().pause_after(0, 1.0) == 0
