"""A scheduler that dies between any two of its statements leaves nothing half-done; the next one does all of it."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from psycopg import AsyncRawCursor, OperationalError

from services.executor.finish_jobs import AttemptEnd
from services.scheduler.apply_commands import apply_commands
from services.scheduler.fire_schedules import fire_schedules
from services.scheduler.fold_job_counts import FoldWalk, fold_job_counts
from services.scheduler.pack_logs import pack_logs
from services.scheduler.plan_run import plan_runs
from services.scheduler.promote_jobs import promote_jobs
from services.scheduler.queries.rescue_jobs import watch_executors
from services.scheduler.release_jobs import release_jobs
from services.scheduler.release_limited_jobs import release_limited_jobs
from services.scheduler.removal_place import RemovalPlace
from services.scheduler.remove_chunks import remove_chunks
from services.scheduler.remove_expired import Retention, remove_expired
from services.scheduler.remove_logs import remove_logs
from services.scheduler.rescue_jobs import BeatWatch, rescue_jobs
from shared.db import Pool, answers, open_pool, query
from shared.errors import DatabaseUnavailableError
from shared.ids import new_id
from shared.queries.models import AttemptOutcome, JobKind
from tests.contract.own_jobs import enqueue, fail, give
from tests.contract.test_firing_schedules import MINUTE, START, add_schedule
from tests.contract.test_settling_runs import add_channel, finish_plan
from tests.engine import FAILED, SUCCEEDED, Engine
from tests.stored_logs import add_log, make_chunks

PIPELINE = "on: push\njobs:\n  a: {run: x}\n  b: {needs: [a], run: x}\n  c: {when: {branch: no}, run: x}\n"
TABLES = (
    "run",
    "job",
    "job_spec",
    "attempt",
    "executor",
    "command",
    "queue",
    "limit_window",
    "removal_walk",
    "schedule",
    "schedule_state",
    "schedule_tick",
    "job_count",
    "job_count_change",
    "notification",
    "audit_event",
    "log_chunk",
    "log_block",
    "log_gone",
    "log_removal",
)

Duty = Callable[[Pool], Awaitable[float]]


async def prepare_plan(engine: Engine) -> Duty:
    await finish_plan(engine, PIPELINE)
    return plan_runs


async def prepare_broken_plan(engine: Engine) -> Duty:
    engine.request_run(engine.add_pipeline())
    executor = await engine.add_executor()
    (job,) = await engine.claim(executor, kind=JobKind.PLAN, queue="plan")
    await engine.finish(executor, job, FAILED)
    return plan_runs


async def prepare_release(engine: Engine) -> Duty:
    await engine.start_run({"a": [], "b": [], "c": ["a"], "d": ["b"]})
    executor = await engine.add_executor()
    for job in await engine.claim(executor):
        await engine.finish(executor, job, FAILED if job.key == "b" else SUCCEEDED)
    return release_jobs


async def prepare_last_release(engine: Engine) -> Duty:
    await engine.start_run({"a": []})
    executor = await engine.add_executor()
    (job,) = await engine.claim(executor)
    await engine.finish(executor, job, FAILED)
    return release_jobs


async def prepare_cancel(engine: Engine) -> Duty:
    run_id, _ = await engine.start_run({"a": [], "b": [], "c": ["a"]})
    await engine.claim(await engine.add_executor(), 1)
    engine.sql(
        "insert into command (id, kind, run_id, given_by, why) values (%s, 'cancel_run', %s, 'me', '')",
        new_id(),
        run_id,
    )
    return partial(apply_commands, plan_timeout_seconds=60)


async def prepare_rerun(engine: Engine) -> Duty:
    run_id, _ = await engine.start_run({"a": []})
    engine.sql(
        "insert into command (id, kind, run_id, given_by, why) values (%s, 'rerun_run', %s, 'me', '')", new_id(), run_id
    )
    return partial(apply_commands, plan_timeout_seconds=60)


async def prepare_rescue(engine: Engine) -> Duty:
    await engine.start_run({"a": [], "b": []})
    await engine.claim(await engine.add_executor())

    async def duty(pool: Pool) -> float:
        # Each scheduler watches anew, and has seen silence for longer than a lease by now.
        now = [0.0]
        watch = BeatWatch(10.0, lambda: now[0])
        for _ in range(4):
            watch.look(await query(engine.scheduler, watch_executors))
            now[0] += 3
        return await rescue_jobs(pool, watch)

    return duty


async def prepare_promote(engine: Engine) -> Duty:
    await engine.start_run({"a": []}, max_attempts=2)
    executor = await engine.add_executor()
    (job,) = await engine.claim(executor)
    await engine.finish(executor, job, AttemptEnd(AttemptOutcome.ERRORED, retry_in_seconds=0))
    return promote_jobs


async def prepare_limit(engine: Engine) -> Duty:
    enqueue(engine, *[{"concurrency_key": key} for key in "aab"])
    engine.sql("update limit_key set rate_count = 1, rate_seconds = 3600, max_running = 5")
    return release_limited_jobs


async def prepare_job_command(engine: Engine) -> Duty:
    (job_id,) = await fail(engine, {})
    give(engine, "redrive_jobs", job_id=job_id)
    return partial(apply_commands, plan_timeout_seconds=60)


async def prepare_fold(engine: Engine) -> Duty:
    enqueue(engine, {}, {"type": "report"})
    return partial(fold_job_counts, walk=FoldWalk())


async def prepare_schedules(engine: Engine) -> Duty:
    add_schedule(engine, catch_up="all")
    return partial(fire_schedules, now=START + 3 * MINUTE)


async def prepare_skipped_ticks(engine: Engine) -> Duty:
    add_schedule(engine)
    return partial(fire_schedules, now=START + 3 * MINUTE)


async def prepare_broken_schedule(engine: Engine) -> Duty:
    add_schedule(engine, job={"type": "Not A Type"})
    return partial(fire_schedules, now=START)


async def prepare_removal(engine: Engine) -> Duty:
    await fail(engine, {}, {})
    only_dead = Retention(
        succeeded_jobs=0, failed_jobs=0, deliveries=0, notifications=0, events=0, commands=0, executors=0, ticks=0
    )
    return partial(remove_expired, retention=only_dead, now=datetime(2100, 1, 1, tzinfo=UTC))


async def prepare_pause(engine: Engine) -> Duty:
    give(engine, "pause_queue", queue="slow")
    return partial(apply_commands, plan_timeout_seconds=60)


async def prepare_pack(engine: Engine) -> Duty:
    add_log(engine, make_chunks([(0, 1, b"ERROR: it broke\n")] * 5))
    return pack_logs


async def prepare_compaction(engine: Engine) -> Duty:
    add_log(engine, make_chunks([(0, 1, b"ERROR: it broke\n")] * 5))
    await pack_logs(engine.scheduler)
    return partial(remove_chunks, keep_seconds=1, place=RemovalPlace(), now=datetime(2100, 1, 1, tzinfo=UTC))


async def prepare_removal_of_logs(engine: Engine) -> Duty:
    log = add_log(engine, make_chunks([(0, 1, b"ERROR: it broke\n")] * 5))
    await pack_logs(engine.scheduler)
    engine.sql("delete from job where id = %s", log.job_id)
    return partial(remove_logs, place=RemovalPlace())


def books(engine: Engine) -> dict[str, list[Any]]:
    """Everything that the scheduler may write."""
    return {
        table: sorted((row for (row,) in engine.sql(f"select to_jsonb(t) from {table} t")), key=repr)
        for table in TABLES
    }


@pytest.mark.parametrize(
    "prepare",
    [
        prepare_plan,
        prepare_broken_plan,
        prepare_release,
        prepare_last_release,
        prepare_cancel,
        prepare_rerun,
        prepare_rescue,
        prepare_promote,
        prepare_limit,
        prepare_job_command,
        prepare_pause,
        prepare_fold,
        prepare_schedules,
        prepare_skipped_ticks,
        prepare_broken_schedule,
        prepare_removal,
        prepare_pack,
        prepare_compaction,
        prepare_removal_of_logs,
    ],
)
async def test_a_death_before_any_statement_leaves_nothing_half_done(
    engine: Engine, prepare: Callable[[Engine], Awaitable[Duty]], monkeypatch: pytest.MonkeyPatch
) -> None:
    add_channel(engine)
    duty = await prepare(engine)
    before = books(engine)
    deaths = 0
    while True:
        async with open_pool(engine.database.dsn("scheduler"), name="mortal", max_size=1) as pool:
            await answers(pool, seconds=10)
            with monkeypatch.context() as patch:
                die_before_statement(patch, deaths)
                try:
                    await duty(pool)
                except DatabaseUnavailableError:
                    deaths += 1
                    assert books(engine) == before
                else:
                    break
    assert deaths >= 1
    assert books(engine) != before


def die_before_statement(patch: pytest.MonkeyPatch, survived: int) -> None:
    """Cut the pool's connection, as a dying process does, before the statement after so many that went through."""
    execute = AsyncRawCursor.execute
    left = [survived]

    async def mortal(self: AsyncRawCursor[Any], *arguments: Any, **options: Any) -> Any:
        if self.connection.info.get_parameters().get("application_name") == "mortal":
            if left[0] == 0:
                self.connection.pgconn.finish()
                raise OperationalError("died")
            left[0] -= 1
        return await execute(self, *arguments, **options)

    patch.setattr(AsyncRawCursor, "execute", mortal)
