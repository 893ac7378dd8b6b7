"""Retention: what has expired goes, with all that belongs to it; nothing else does; and nobody waits for it."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import anyio
import psycopg
import pytest

from services.scheduler.remove_expired import Retention, remove_expired
from shared.db import answers, open_pool
from shared.errors import DatabaseUnavailableError
from shared.ids import JobId, new_id
from tests.contract.own_jobs import DEAD, claim, end, enqueue
from tests.contract.test_firing_schedules import add_schedule
from tests.contract.test_folding_counts import DIFFERENCES
from tests.contract.test_scheduler_deaths import die_before_statement
from tests.engine import Engine

NOW = datetime(2030, 6, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
NOTHING = Retention(
    succeeded_jobs=0,
    failed_jobs=0,
    dead_jobs=0,
    runs=0,
    deliveries=0,
    notifications=0,
    events=0,
    commands=0,
    executors=0,
    ticks=0,
)
JOBS = Retention(succeeded_jobs=7, failed_jobs=30, dead_jobs=90)


async def remove(engine: Engine, retention: Retention, *, now: datetime = NOW, batch: int = 1000) -> None:
    """Look until there is nothing more to remove."""
    while await remove_expired(engine.scheduler, retention, now=now, batch=batch) < 1:
        pass


def id_at(made_at: datetime) -> UUID:
    """An id that was made at that time."""
    fresh = new_id()
    milliseconds = int(made_at.timestamp() * 1000)
    return UUID(int=(milliseconds << 80) | (fresh.int & ((1 << 80) - 1)))


def add_job(engine: Engine, state: str, ended: datetime, *, made: datetime | None = None) -> JobId:
    """A job on its own that ended so, and then."""
    (job_id,) = enqueue(engine, {"idempotency_key": str(new_id())})
    moved = JobId(id_at(made or ended - DAY))
    finished = None if state in ("ready", "blocked", "scheduled", "running") else ended
    executor = new_id() if state == "running" else None
    engine.sql(
        """
        update job
        set id = %s, state = %s::job_state, finished_at = %s, executor_id = %s, claim_epoch = 1, claimed_at = created_at
        where id = %s
        """,
        moved,
        state,
        finished,
        executor,
        job_id,
    )
    engine.sql("update job_spec set job_id = %s where job_id = %s", moved, job_id)
    engine.sql("update job_key set job_id = %s, expires_at = '2100-01-01' where job_id = %s", moved, job_id)
    engine.sql(
        """
        insert into attempt (job_id, epoch, executor_id, started_at, log_day) values (%s, 1, %s, now(), current_date)
        """,
        moved,
        new_id(),
    )
    engine.sql("insert into job_progress (job_id, epoch, fraction, message) values (%s, 1, 0.5, '')", moved)
    return moved


def left(engine: Engine, table: str = "job", column: str = "id") -> set[object]:
    return {value for (value,) in engine.sql(f"select {column} from {table}")}


@pytest.mark.parametrize(
    ("state", "days"),
    [("succeeded", 7), ("failed", 30), ("canceled", 30), ("dead", 90)],
)
async def test_a_job_is_kept_for_as_long_as_its_end_says_and_goes_with_all_that_belongs_to_it(
    engine: Engine, state: str, days: int
) -> None:
    young = add_job(engine, state, NOW - days * DAY + timedelta(seconds=1))
    add_job(engine, state, NOW - days * DAY - timedelta(seconds=1))
    await remove(engine, JOBS)
    assert left(engine) == {young}
    for table in ("job_spec", "attempt", "job_key", "job_progress"):
        assert left(engine, table, "job_id") == {young}, table
    assert engine.sql(DIFFERENCES) == []


async def test_what_has_not_ended_and_what_belongs_to_a_run_stays(engine: Engine) -> None:
    kept = {
        add_job(engine, state, NOW - 500 * DAY, made=NOW - 500 * DAY)
        for state in ("ready", "blocked", "scheduled", "running")
    }
    _, of_a_run = await engine.start_run({"a": []})
    old = id_at(NOW - 500 * DAY)
    engine.sql(
        "update job set id = %s, state = 'failed', finished_at = %s where id = %s", old, NOW - 400 * DAY, of_a_run["a"]
    )
    plan_jobs = {job_id for (job_id,) in engine.sql("select id from job where kind = 'plan'")}
    await remove(engine, JOBS)
    assert left(engine) == kept | plan_jobs | {old}


async def test_what_is_kept_for_ever_stays(engine: Engine) -> None:
    kept = {add_job(engine, state, NOW - 5000 * DAY) for state in ("failed", "dead", "canceled")}
    add_job(engine, "succeeded", NOW - 5000 * DAY)
    await remove(engine, Retention(succeeded_jobs=7, failed_jobs=0, dead_jobs=0))
    assert left(engine) == kept
    await remove(engine, NOTHING)
    assert left(engine) == kept


async def test_it_goes_on_where_it_was_and_later_begins_anew(engine: Engine) -> None:
    ripening = add_job(engine, "failed", NOW - 29.9 * DAY, made=NOW - 29.9 * DAY)
    for _ in range(5):
        add_job(engine, "succeeded", NOW - 8 * DAY)
    sizes = []
    for _ in range(4):
        await remove_expired(engine.scheduler, JOBS, now=NOW, batch=2)
        sizes.append(len(left(engine)))
    # The first look passes by what is not ripe yet, and does not come back to it.
    assert sizes == [5, 3, 1, 1]
    ripe_at = NOW + timedelta(hours=5)
    await remove(engine, JOBS, now=ripe_at)
    assert left(engine) == {ripening}
    # A pass later it does.
    await remove(engine, JOBS, now=ripe_at + timedelta(hours=2))
    assert left(engine) == set()


async def test_what_somebody_has_locked_is_left_and_not_waited_for(engine: Engine) -> None:
    locked = add_job(engine, "dead", NOW - 100 * DAY)
    add_job(engine, "dead", NOW - 100 * DAY)
    with psycopg.connect(engine.database.dsn()) as other:
        other.execute("select 1 from job where id = %s for update", [locked])
        await remove(engine, JOBS)
        assert left(engine) == {locked}
        # It is redriven: and then it has not ended any more.
        other.execute("update job set state = 'ready', finished_at = null where id = %s", [locked])
        other.commit()
    await remove(engine, JOBS, now=NOW + DAY)
    assert left(engine) == {locked}


async def test_schedulers_that_race_and_die_remove_all_that_has_expired_and_nothing_else(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = {add_job(engine, "failed", NOW - 20 * DAY) for _ in range(3)}
    for _ in range(20):
        add_job(engine, "succeeded", NOW - 10 * DAY)
    for survived in range(12):
        async with open_pool(engine.database.dsn("scheduler"), name="mortal", max_size=1) as pool:
            await answers(pool, seconds=10)
            with monkeypatch.context() as patch:
                die_before_statement(patch, survived)
                try:
                    await remove_expired(pool, JOBS, now=NOW, batch=1)
                except DatabaseUnavailableError:
                    assert engine.sql(DIFFERENCES) == []

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(lambda: remove(engine, JOBS, batch=2))
    await remove(engine, JOBS, now=NOW + timedelta(hours=7))
    assert left(engine) == kept
    assert left(engine, "job_spec", "job_id") == kept


async def test_runs_are_kept_unless_somebody_says_for_how_long(engine: Engine) -> None:
    old, ids = await engine.start_run({"a": [], "b": []})
    young, _ = await engine.start_run({"a": []})
    open_run, _ = await engine.start_run({"a": []})
    engine.sql("update job set state = 'succeeded', finished_at = now() where run_id = %s and kind = 'shell'", old)
    engine.sql("update run set created_at = %s", NOW - 100 * DAY)
    for run_id, days in ((old, 11), (young, 9)):
        engine.sql("update run set state = 'succeeded', finished_at = %s where id = %s", NOW - days * DAY, run_id)
    engine.sql("update run set rerun_of = %s where id = %s", old, young)
    engine.sql(
        "insert into command (id, kind, run_id, given_by, why) values (%s, 'cancel_run', %s, 'me', '')", new_id(), old
    )
    await remove(engine, Retention())
    assert left(engine, "run") == {old, young, open_run}
    await remove(engine, Retention(runs=10))
    assert left(engine, "run") == {young, open_run}
    assert not left(engine) & set(ids.values())
    assert left(engine, "command", "run_id") == set()
    assert engine.sql("select rerun_of from run where id = %s", young) == [(None,)]
    assert engine.sql(DIFFERENCES) == []


async def test_a_delivery_is_kept_as_long_as_its_run(engine: Engine) -> None:
    pipeline_id = engine.add_pipeline()
    run_id, _ = await engine.start_run({"a": []})
    ids = [id_at(NOW - days * DAY) for days in (40, 35, 32, 29)]
    for number, delivery_id in enumerate(ids):
        engine.sql(
            """
            insert into delivery (id, pipeline_id, source, event, digest, outcome, reason, remote_address, received_at)
            values (%s, %s, 'github', 'push', %s, 'accepted', '', '', %s)
            """,
            delivery_id,
            pipeline_id,
            bytes([number]),
            NOW - DAY * (40, 35, 32, 29)[number],
        )
    engine.sql("update run set delivery_id = %s where id = %s", ids[1], run_id)
    await remove(engine, Retention(deliveries=30), batch=1)
    assert left(engine, "delivery") == {ids[1], ids[3]}


async def test_each_table_is_kept_as_its_setting_says(engine: Engine) -> None:
    run_id, _ = await engine.start_run({"a": []})
    channel_id, schedule_id = new_id(), add_schedule(engine)
    engine.sql(
        "insert into channel (id, name, kind, events, sealed_url, key_id) values (%s, 'c', 'webhook', '{}', '', 'k1')",
        channel_id,
    )
    alive = await engine.add_executor()
    engine.sql("delete from audit_event")
    kept: dict[str, list[object]] = {"notification": [], "command": [], "executor": []}
    for days in (5, 3):
        ended = NOW - days * DAY
        ids = {table: id_at(ended - timedelta(minutes=1)) for table in kept}
        engine.sql(
            """
            insert into notification (id, channel_id, event, run_id, payload, state, ended_at)
            values (%s, %s, %s, %s, '{}', 'delivered', %s)
            """,
            ids["notification"],
            channel_id,
            str(days),
            run_id,
            ended,
        )
        engine.sql(
            """
            insert into command (id, kind, run_id, given_by, why, applied_at, outcome)
            values (%s, 'cancel_run', %s, 'me', '', %s, '')
            """,
            ids["command"],
            run_id,
            ended,
        )
        engine.sql(
            """
            insert into executor (id, name, version, queues, labels, slots, plan_slots, state, ended_at)
            values (%s, '', '', '{}', '{}', 1, 1, 'left', %s)
            """,
            ids["executor"],
            ended,
        )
        engine.sql("insert into audit_event (name, actor, detail, recorded_at) values ('', '', '{}', %s)", ended)
        engine.sql("insert into schedule_tick (schedule_id, due_at) values (%s, %s)", schedule_id, ended)
        for table, rows in kept.items():
            rows[:] = [ids[table]]
    pending, unapplied = id_at(NOW - 9 * DAY), id_at(NOW - 9 * DAY)
    engine.sql(
        "insert into notification (id, channel_id, event, run_id, payload) values (%s, %s, '', %s, '{}')",
        pending,
        channel_id,
        run_id,
    )
    engine.sql(
        "insert into command (id, kind, run_id, given_by, why) values (%s, 'cancel_run', %s, 'me', '')",
        unapplied,
        run_id,
    )
    await remove(engine, Retention(notifications=4, commands=4, executors=4, events=4, ticks=4), batch=1)
    assert left(engine, "notification") == {pending, *kept["notification"]}
    assert left(engine, "command") == {unapplied, *kept["command"]}
    assert left(engine, "executor") == {alive, *kept["executor"]}
    assert left(engine, "audit_event", "recorded_at") == {NOW - 3 * DAY}
    assert left(engine, "schedule_tick", "due_at") == {NOW - 3 * DAY}


async def test_an_executor_whose_jobs_are_still_to_be_rescued_is_not_forgotten(engine: Engine) -> None:
    enqueue(engine, {})
    executor_id = await engine.add_executor()
    (job,) = await claim(engine, executor_id)
    engine.sql("update executor set state = 'lost', ended_at = %s", NOW - 100 * DAY)
    await remove(engine, Retention(executors=4))
    assert left(engine, "executor") == {executor_id}
    await end(engine, executor_id, job, DEAD)
    await remove(engine, Retention(executors=4))
    assert left(engine, "executor") == set()


async def test_an_idempotency_key_that_counts_no_more_is_forgotten_unless_somebody_is_using_it_again(
    engine: Engine,
) -> None:
    enqueue(engine, *[{"idempotency_key": key} for key in ("old", "used", "young")])
    engine.sql("update job_key set expires_at = now() - interval '1 second' where key <> 'young'")
    with psycopg.connect(engine.database.dsn("producer")) as producer:
        producer.execute("select enqueue('email', queue => 'other', idempotency_key => 'used')")
        await remove_expired(engine.scheduler, NOTHING)
        assert left(engine, "job_key", "key") == {"used", "young"}
        producer.commit()
    await remove_expired(engine.scheduler, NOTHING)
    assert left(engine, "job_key", "key") == {"used", "young"}
