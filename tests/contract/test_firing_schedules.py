"""Schedules: each tick leads to one job, whoever finds it; a broken schedule stops nobody else."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import anyio
import msgspec
import pytest

from services.scheduler.fire_schedules import fire_schedules
from shared.ids import new_id
from tests.engine import Engine

START = datetime(2026, 1, 1, 3, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def add_schedule(
    engine: Engine,
    name: str = "nightly",
    *,
    cron: str = "* * * * *",
    timezone: str = "UTC",
    catch_up: str = "latest",
    job: object = None,
    updated_at: datetime = START - MINUTE,
) -> UUID:
    schedule_id = new_id()
    engine.sql(
        """
        insert into schedule (id, name, cron, timezone, catch_up, job, created_by, updated_at)
        values (%s, %s, %s, %s, %s, %s::jsonb, 'me', %s)
        """,
        schedule_id,
        name,
        cron,
        timezone,
        catch_up,
        msgspec.json.encode({"type": "report"} if job is None else job).decode(),
        updated_at,
    )
    return schedule_id


async def fire(engine: Engine, now: datetime, *, most: int = 1000) -> float:
    """Look until there is nothing more to do; returns the seconds until the next look."""
    while (seconds := await fire_schedules(engine.scheduler, now=now, most=most)) == 0:
        pass
    return seconds


def ticks(engine: Engine) -> list[tuple[datetime, bool]]:
    """When ticks were due, and whether they led to jobs."""
    return [
        (due_at, job_id is not None)
        for due_at, job_id in engine.sql("select due_at, job_id from schedule_tick order by due_at")
    ]


async def test_a_due_tick_enqueues_the_job_as_the_schedule_has_it(engine: Engine) -> None:
    given = {
        "type": "report",
        "payload": {"exact": 0.1, "deep": [1, {"a": None}]},
        "queue": "slow",
        "priority": 7,
        "metadata": {"team": "a"},
    }
    add_schedule(engine, job=given)
    await fire(engine, START)
    ((job_id, state, queue, priority, payload, metadata, by),) = engine.sql(
        """
        select j.id, j.state::text, l.queue, j.priority, s.payload, s.metadata, s.enqueued_by
        from job j join job_spec s on s.job_id = j.id join lane l on l.id = j.lane_id
        """
    )
    assert (state, queue, priority, payload, by) == ("ready", "slow", 7, given["payload"], "schedule:nightly")
    assert metadata == {"team": "a", "schedule": "nightly", "due_at": "2026-01-01T03:00:00+00:00"}
    assert engine.sql("select due_at, job_id from schedule_tick") == [(START, job_id)]


async def test_it_sleeps_until_the_next_is_due(engine: Engine) -> None:
    add_schedule(engine)
    assert await fire(engine, START - timedelta(seconds=30)) > 1
    assert await fire(engine, START - timedelta(seconds=0.5)) == pytest.approx(0.5)
    assert ticks(engine) == []


@pytest.mark.parametrize(("catch_up", "jobs"), [("skip", 2), ("latest", 1), ("all", 31)])
async def test_missed_ticks_are_made_up_for_as_the_schedule_says(engine: Engine, catch_up: str, jobs: int) -> None:
    add_schedule(engine, catch_up=catch_up)
    await fire(engine, START + 30 * MINUTE, most=10)
    found = ticks(engine)
    assert [due_at for due_at, _ in found] == [START + number * MINUTE for number in range(31)]
    assert [is_fired for _, is_fired in found] == [False] * (31 - jobs) + [True] * jobs
    # Jobs that make up for several ticks are claimed in their order.
    assert engine.sql(
        """
        select count(*) from (
            select t.due_at, lag(t.due_at) over (order by j.claim_order, j.id) as earlier
            from schedule_tick t join job j on j.id = t.job_id
        ) o where o.earlier > o.due_at
        """
    ) == [(0,)]


async def test_a_paused_schedule_does_nothing_and_one_that_goes_on_begins_anew(engine: Engine) -> None:
    add_schedule(engine, catch_up="all")
    await fire(engine, START)
    engine.sql("update schedule set paused_at = now(), updated_at = %s", START + MINUTE)
    await fire(engine, START + 10 * MINUTE)
    assert len(ticks(engine)) == 1
    engine.sql("update schedule set paused_at = null, updated_at = %s", START + 20 * MINUTE)
    await fire(engine, START + 21 * MINUTE)
    assert ticks(engine) == [(START, True), (START + 21 * MINUTE, True)]


async def test_a_changed_schedule_is_reckoned_anew(engine: Engine) -> None:
    add_schedule(engine, cron="0 5 * * *")
    await fire(engine, START)
    engine.sql("update schedule set cron = '30 3 * * *', updated_at = %s", START + MINUTE)
    await fire(engine, START + 2 * MINUTE)
    assert engine.sql("select next_at from schedule_state") == [(START + 30 * MINUTE,)]
    assert ticks(engine) == []


async def test_the_hour_is_that_of_the_schedules_own_zone(engine: Engine) -> None:
    add_schedule(engine, cron="0 3 * * *", timezone="Europe/Paris")
    summer = datetime(2026, 7, 1, 1, 0, tzinfo=UTC)
    await fire(engine, START)
    await fire(engine, summer)
    assert engine.sql("select next_at from schedule_state") == [(summer + timedelta(days=1),)]
    assert ticks(engine)[-1] == (summer, True)


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ({"cron": "61 * * * *"}, "its cron cannot be used: bad minute"),
        ({"cron": "* * * *"}, "its cron cannot be used: it has five fields"),
        ({"timezone": "Mars/Olympus"}, "its timezone cannot be used: 'Mars/Olympus' is no IANA time zone"),
        ({"cron": "0 0 */20 * 1L"}, "its cron cannot be used: no such day comes"),
        ({"job": {"type": "Not A Type"}}, "its job was refused: job 0: 'Not A Type' is no job type"),
        ({"job": {"type": "report", "priority": 500}}, "its job was refused: job 0: the priority 500"),
        ({"job": {"type": "report", "priority": "high"}}, "its job was refused: job 0: the priority high"),
        ({"job": {"type": "report", "payload": "x" * 1_100_000}}, "its job was refused: job 0: the payload has more"),
        ({"job": [1]}, "its job was refused: "),
        ({"job": "text"}, "its job was refused: "),
    ],
)
async def test_a_broken_schedule_is_paused_and_says_why_and_stops_nobody(
    engine: Engine, broken: dict[str, Any], why: str
) -> None:
    add_schedule(engine, "a-broken", **broken)
    add_schedule(engine, "sound")
    await fire(engine, START)
    await fire(engine, START + MINUTE)
    assert engine.sql("select name from schedule where paused_at is not null") == [("a-broken",)]
    ((detail,),) = engine.sql("select detail from audit_event where name = 'schedule.broken'")
    assert detail["name"] == "a-broken"
    assert detail["why"].startswith(why)
    assert engine.sql("select count(*) from job") == [(2,)]
    assert ticks(engine) == [(START, True), (START + MINUTE, True)]


async def test_schedulers_that_race_fire_each_tick_once(engine: Engine) -> None:
    for name in "abcd":
        add_schedule(engine, name, catch_up="all")
    add_schedule(engine, "broken", cron="61 * * * *")

    async def race() -> None:
        for number in range(5):
            await fire(engine, START + number * 3 * MINUTE, most=2)

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(race)
    found = engine.sql("select s.name, t.due_at from schedule_tick t join schedule s on s.id = t.schedule_id")
    assert sorted(found) == [(name, START + number * MINUTE) for name in "abcd" for number in range(13)]
    assert engine.sql("select count(*), count(distinct job_id) from schedule_tick") == [(52, 52)]
    assert engine.sql("select count(*) from job") == [(52,)]
    assert engine.sql("select count(*) from audit_event where name = 'schedule.broken'") == [(1,)]


async def test_a_tick_that_was_recorded_before_is_not_fired_again(engine: Engine) -> None:
    add_schedule(engine, catch_up="all")
    await fire(engine, START + 2 * MINUTE)
    # Changed, and so reckoned anew from a time before ticks that are there.
    engine.sql("update schedule set updated_at = %s", START)
    await fire(engine, START + 3 * MINUTE)
    assert ticks(engine) == [(START + number * MINUTE, True) for number in range(4)]
    assert engine.sql("select count(*) from job") == [(4,)]


async def test_a_schedule_that_somebody_changes_is_left_until_that_is_committed(engine: Engine) -> None:
    add_schedule(engine)
    async with engine.scheduler.connection() as connection, connection.transaction():
        await connection.execute("update schedule set paused_at = now()")
        assert await fire_schedules(engine.scheduler, now=START) > 0
    assert await fire(engine, START) > 1
    assert ticks(engine) == []
