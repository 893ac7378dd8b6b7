"""Times of schedules: as Debian's cron has them around changes of the clocks, always later than the one before."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.reckon_ticks import BadScheduleError, iterate_ticks, knows_time_zones, last_ticks, reckon_ticks


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# Clocks in Paris go forward on 2026-03-29 at 01:00 UTC, and back on 2026-10-25 at 01:00 UTC.
@pytest.mark.parametrize(
    ("cron", "after", "expected"),
    [
        # 02:30 is skipped: it comes at once when the clocks have gone forward.
        ("30 2 * * *", "2026-03-28T12:00", ["2026-03-29T01:00", "2026-03-30T00:30"]),
        # All that was skipped comes once, also when several were.
        ("0,15,30 2 * * *", "2026-03-29T00:30", ["2026-03-29T01:00", "2026-03-30T00:00"]),
        # 02:30 is repeated: it comes once, the first time.
        ("30 2 * * *", "2026-10-24T12:00", ["2026-10-25T00:30", "2026-10-26T01:30"]),
        ("30 2 * * *", "2026-10-25T00:45", ["2026-10-26T01:30"]),
        # Also when the clocks stand between the first time and the second one.
        ("50 2 * * *", "2026-10-25T01:10", ["2026-10-26T01:50"]),
        # What comes more often follows the clock on the wall.
        ("*/30 * * * *", "2026-10-25T00:10", ["2026-10-25T00:30", "2026-10-25T01:00", "2026-10-25T01:30"]),
        ("*/30 * * * *", "2026-03-29T00:40", ["2026-03-29T01:00", "2026-03-29T01:30"]),
        # A day of the month or of the week, unless one of them is a star.
        ("0 12 13 * FRI", "2026-03-10T00:00", ["2026-03-13T11:00", "2026-03-20T11:00"]),
    ],
)
def test_ticks_around_a_change_of_the_clocks_are_those_of_debians_cron(
    cron: str, after: str, expected: list[str]
) -> None:
    ticks = reckon_ticks(cron, "Europe/Paris", after=utc(after), count=len(expected))
    assert ticks == [utc(text) for text in expected]


@pytest.mark.parametrize(
    ("cron", "timezone", "field"),
    [
        ("* * * *", "UTC", "cron"),
        ("* * * * * *", "UTC", "cron"),
        ("61 * * * *", "UTC", "cron"),
        ("@daily", "UTC", "cron"),
        ("", "UTC", "cron"),
        ("0 0 30 2 *", "UTC", "cron"),
        ("0 0 */20 * 1L", "UTC", "cron"),
        ("0 0 * * *", "Mars/Olympus", "timezone"),
        ("0 0 * * *", "../etc/passwd", "timezone"),
        ("0 0 * * *", "Europe", "timezone"),
        ("0 0 * * *", "", "timezone"),
    ],
)
def test_what_cannot_be_read_or_never_comes_is_refused_by_field(cron: str, timezone: str, field: str) -> None:
    with pytest.raises(BadScheduleError) as caught:
        reckon_ticks(cron, timezone, after=utc("2026-01-01T00:00"), count=1)
    assert caught.value.field == field


CRONS = st.builds(
    "{} {} {} * {}".format,
    st.sampled_from(["*", "*/15", "0", "30", "15,45", "59"]),
    st.sampled_from(["*", "*/2", "0", "2", "1,3", "0-4"]),
    st.sampled_from(["*", "29"]),
    st.sampled_from(["*", "SUN"]),
)
MOMENTS = st.integers(0, 365 * 24 * 60).map(lambda minutes: utc("2026-01-01T00:00") + timedelta(minutes=minutes))
ZONES = st.sampled_from(
    ["UTC", "Europe/Paris", "America/New_York", "Africa/Cairo", "Australia/Lord_Howe", "Asia/Kolkata"]
)


@settings(deadline=None, max_examples=50)
@given(CRONS, ZONES, MOMENTS)
def test_ticks_always_rise(cron: str, timezone: str, after: datetime) -> None:
    ticks = [after, *islice(iterate_ticks(cron, timezone, after=after), 60)]
    assert all(earlier < later for earlier, later in pairwise(ticks))


@settings(deadline=None, max_examples=50)
@given(CRONS, MOMENTS, st.integers(0, 3000), st.integers(1, 70))
def test_the_last_ticks_of_a_stretch_are_the_end_of_all_of_its_ticks(
    cron: str, after: datetime, minutes: int, count: int
) -> None:
    until = after + timedelta(minutes=minutes)
    every = []
    for tick in iterate_ticks(cron, "UTC", after=after):
        if tick > until:
            break
        every.append(tick)
    assert last_ticks(cron, "UTC", after=after, until=until, count=count) == every[-count:]


def test_the_last_tick_of_years_is_found_without_reckoning_all_of_them() -> None:
    assert last_ticks("* * * * *", "UTC", after=utc("0100-01-01T00:00"), until=utc("2026-01-01T00:00"), count=1) == [
        utc("2026-01-01T00:00")
    ]
    assert last_ticks("0 0 29 2 *", "UTC", after=utc("2000-03-01T00:00"), until=utc("2026-01-01T00:00"), count=2) == [
        utc("2020-02-29T00:00"),
        utc("2024-02-29T00:00"),
    ]


def test_this_machine_knows_time_zones() -> None:
    assert knows_time_zones()
