"""Ticks that were missed: forgotten, made up for by the last one, or by all of them, as the schedule says."""

from datetime import UTC, datetime, timedelta

import pytest

from services.scheduler.choose_ticks import MOST_SKIPPED, choose_ticks
from shared.queries.models import ScheduleCatchUp
from shared.reckon_ticks import BadScheduleError

START = datetime(2026, 1, 1, 3, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
EVERY = list(ScheduleCatchUp)


@pytest.mark.parametrize("catch_up", EVERY)
def test_a_tick_that_is_found_in_time_is_fired(catch_up: ScheduleCatchUp) -> None:
    choice = choose_ticks("0 3 * * *", "UTC", catch_up, next_at=START, now=START + timedelta(seconds=59))
    assert (choice.fired, choice.skipped, choice.next_at) == ([START], [], START + timedelta(days=1))


@pytest.mark.parametrize("catch_up", EVERY)
def test_nothing_is_fired_before_its_time(catch_up: ScheduleCatchUp) -> None:
    choice = choose_ticks("0 3 * * *", "UTC", catch_up, next_at=START, now=START - timedelta(microseconds=1))
    assert (choice.fired, choice.skipped, choice.next_at) == ([], [], START)


@pytest.mark.parametrize(
    ("catch_up", "fired"),
    [
        (ScheduleCatchUp.SKIP, [START + 9 * MINUTE, START + 10 * MINUTE]),
        (ScheduleCatchUp.LATEST, [START + 10 * MINUTE]),
        (ScheduleCatchUp.ALL, [START + number * MINUTE for number in range(11)]),
    ],
)
def test_missed_ticks_are_made_up_for_as_the_schedule_says(catch_up: ScheduleCatchUp, fired: list[datetime]) -> None:
    choice = choose_ticks("* * * * *", "UTC", catch_up, next_at=START, now=START + 10 * MINUTE)
    assert choice.fired == fired
    assert sorted(choice.fired + choice.skipped) == [START + number * MINUTE for number in range(11)]
    assert choice.next_at == START + 11 * MINUTE


def test_a_missed_tick_is_forgotten_when_nothing_is_made_up_for() -> None:
    choice = choose_ticks("0 3 * * *", "UTC", ScheduleCatchUp.SKIP, next_at=START, now=START + timedelta(hours=5))
    assert (choice.fired, choice.skipped) == ([], [START])


def test_all_are_made_up_for_so_many_at_a_time() -> None:
    now, next_at, fired = START + 24 * MINUTE, START, list[datetime]()
    sizes = []
    while next_at <= now:
        choice = choose_ticks("* * * * *", "UTC", ScheduleCatchUp.ALL, next_at=next_at, now=now, most=10)
        fired += choice.fired
        sizes.append(len(choice.fired))
        next_at = choice.next_at
    assert fired == [START + number * MINUTE for number in range(25)]
    assert sizes == [10, 10, 5]


def test_of_years_of_skipped_ticks_the_last_ones_are_recorded() -> None:
    now = START + timedelta(days=2000)
    choice = choose_ticks("* * * * *", "UTC", ScheduleCatchUp.LATEST, next_at=START, now=now)
    assert choice.fired == [now]
    assert len(choice.skipped) == MOST_SKIPPED - 1
    assert choice.skipped[-1] == now - MINUTE


@pytest.mark.parametrize("catch_up", EVERY)
def test_a_tick_that_the_clocks_moved_is_fired_though_it_cannot_be_reckoned_again(catch_up: ScheduleCatchUp) -> None:
    # 02:30 does not exist in Paris on that day: it came at 03:00, which is 01:00 UTC.
    moved = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    choice = choose_ticks("30 2 * * *", "Europe/Paris", catch_up, next_at=moved, now=moved + timedelta(seconds=1))
    assert (choice.fired, choice.next_at) == ([moved], datetime(2026, 3, 30, 0, 30, tzinfo=UTC))


@pytest.mark.parametrize("catch_up", EVERY)
def test_a_schedule_that_comes_no_more_is_broken(catch_up: ScheduleCatchUp) -> None:
    with pytest.raises(BadScheduleError):
        choose_ticks("0 0 */20 * 1L", "UTC", catch_up, next_at=START, now=START)
