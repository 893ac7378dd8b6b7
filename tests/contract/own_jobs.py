"""Jobs on their own, as producers enqueue them, handlers end them and people command them."""

from functools import partial
from typing import Any
from uuid import UUID

import msgspec

from services.executor.finish_and_claim import Wanted, finish_and_claim
from services.executor.finish_jobs import AttemptEnd
from services.executor.hold_calls import HeldCall
from services.executor.queries.finish_jobs import finish_jobs
from shared.db import query
from shared.ids import CommandId, ExecutorId, JobId, new_id
from shared.queries.models import AttemptOutcome, JobState
from tests.engine import Engine

DEAD = AttemptEnd(AttemptOutcome.ERRORED, error="no luck", retry_in_seconds=1)
FAILED = AttemptEnd(AttemptOutcome.FAILED, error="no good")


def enqueue(engine: Engine, *jobs: dict[str, Any], by: str = "test") -> list[JobId]:
    """Insert jobs; whatever is not said of one is as tests like it."""
    given = [{"type": "email", "max_attempts": 1} | job for job in jobs]
    rows = engine.sql(
        "select job_id from insert_jobs(%s::jsonb, %s) order by place", msgspec.json.encode(given).decode(), by
    )
    return [JobId(job_id) for (job_id,) in rows]


async def claim(
    engine: Engine,
    executor_id: ExecutorId,
    slots: int = 100,
    *,
    queue: str = "default",
    job_type: str = "email",
    done: list[HeldCall] | None = None,
) -> list[HeldCall]:
    """Report the successes of `done`, and claim."""
    found = await query(
        engine.executor,
        partial(
            finish_and_claim,
            ended=done or [],
            executor_id=executor_id,
            marks={},
            wanted=Wanted.of(queues=[queue], job_types=[job_type], labels=[]),
            slots=slots,
        ),
    )
    return found.claimed


async def end(engine: Engine, executor_id: ExecutorId, job: HeldCall, how: AttemptEnd) -> JobState | None:
    """End an attempt otherwise than by turning over; returns the job's state, or None if that was refused."""
    job_id, epoch = job.job_id, job.epoch
    rows = await query(
        engine.executor,
        lambda connection: finish_jobs(
            connection,
            executor_id=executor_id,
            job_ids=[job_id],
            epochs=[epoch],
            outcomes=[how.outcome],
            reasons=[how.reason],
            exit_codes=[-1],
            errors=[how.error],
            results=[how.result],
            retry_in_seconds=[how.retry_in_seconds],
            failing_lines=[-1],
            failing_texts=[""],
        ),
    )
    return rows[0].state if rows else None


async def fail(engine: Engine, *jobs: dict[str, Any], how: AttemptEnd = DEAD) -> list[JobId]:
    """Insert jobs that have ended otherwise than well: dead, unless `how` says otherwise."""
    ids = enqueue(engine, *jobs)
    executor_id = await engine.add_executor()
    for job in await claim(engine, executor_id):
        await end(engine, executor_id, job, how)
    return ids


def give(
    engine: Engine,
    kind: str,
    *,
    job_id: UUID | None = None,
    queue: str | None = None,
    job_filter: dict[str, Any] | None = None,
) -> CommandId:
    """Give a command, as ingest does."""
    command_id = CommandId(new_id())
    engine.sql(
        """
        insert into command (id, kind, job_id, queue, job_filter, given_by, why)
        values (%s, %s, %s, %s, %s::jsonb, 'me', 'because')
        """,
        command_id,
        kind,
        job_id,
        queue,
        None if job_filter is None else msgspec.json.encode(job_filter).decode(),
    )
    return command_id


def outcome(engine: Engine, command_id: CommandId) -> str | None:
    """What came of a command."""
    ((text,),) = engine.sql("select outcome from command where id = %s", command_id)
    return None if text is None else str(text)


def states(engine: Engine, ids: list[JobId]) -> list[str]:
    """The states of jobs, in their order."""
    return [engine.job(job_id).state for job_id in ids]
