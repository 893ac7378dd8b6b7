"""Jobs of handlers, claimed and finished by the executor's own statement, against a test's database."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import msgspec
from psycopg.types.json import Jsonb

from services.executor.finish_jobs import AttemptEnd
from services.executor.hold_calls import HeldCall, read_claimed
from services.executor.queries.finish_jobs import finish_jobs
from services.executor.queries.turn_over_jobs import turn_over_jobs
from shared.db import Connection, query
from shared.ids import ExecutorId, JobId
from shared.queries.models import AttemptOutcome, JobState
from tests.engine import Engine

JOB_TYPE = "a"
HANDED_BACK = AttemptEnd(AttemptOutcome.HANDED_BACK)


class Claimed(msgspec.Struct, frozen=True):
    """A job that a turn-over has claimed, as an executor holds it."""

    job_id: JobId
    epoch: int
    row_at: str
    row: HeldCall


class Turned(msgspec.Struct, frozen=True):
    """What one turn-over did."""

    done: int
    # The lane that it claimed from, or tried to.
    lane_id: int | None
    job_type: str | None
    queue: str | None
    # How far that lane has been claimed now.
    last_order: int | None
    # In so many texts.
    texts: int
    claimed: list[Claimed]

    @property
    def job_ids(self) -> list[JobId]:
        """The claimed jobs, in claim order."""
        return [claimed.job_id for claimed in self.claimed]


def add_jobs(engine: Engine, *jobs: Mapping[str, object]) -> list[JobId]:
    """Enqueue jobs, of JOB_TYPE unless they say otherwise; returns their ids in order."""
    given = [{"type": JOB_TYPE, **job} for job in jobs]
    return [JobId(job_id) for (job_id,) in engine.sql("select job_id from insert_jobs(%s, 'test')", Jsonb(given))]


async def turn_over(
    engine: Engine,
    executor_id: ExecutorId,
    done: Iterable[Claimed] = (),
    *,
    slots: int = 100,
    results: Sequence[object] = (),
    marks: Mapping[int, int] | None = None,
    queues: Sequence[str] = ("default",),
    job_types: Sequence[str] = (JOB_TYPE,),
    labels: Sequence[str] = (),
    connection: Connection | None = None,
) -> Turned:
    """Finish and claim in one statement, on a connection of the pool or on the given one."""
    ended = list(done)
    marks = marks or {}
    told = [(job, result) for job, result in zip(ended, results, strict=False) if result is not None]
    statement = partial(
        turn_over_jobs,
        done_job_ids=f"{{{','.join(str(job.job_id) for job in ended)}}}",
        done_epochs=f"{{{','.join(str(job.epoch) for job in ended)}}}",
        result_job_ids=f"{{{','.join(str(job.job_id) for job, _ in told)}}}",
        results=msgspec.json.encode([result for _, result in told]).decode(),
        done_rows_at="{" + ",".join(f'"{job.row_at}"' for job in ended) + "}",
        executor_id=executor_id,
        mark_lane_ids=list(marks),
        marks=list(marks.values()),
        queues=list(queues),
        job_types=list(job_types),
        labels=list(labels),
        slots=slots,
    )
    rows = await (statement(connection) if connection is not None else query(engine.executor, statement))
    held_calls = [held for row in rows if row.jobs is not None for held in read_claimed(row.jobs)]
    claimed = {held.job_id: Claimed(held.job_id, held.epoch, held.row_at, held) for held in held_calls}
    order = "select id from job where id = any(%s) order by claim_order, id"
    if connection is None:
        ordered = [row[0] for row in engine.sql(order, list(claimed))]
    else:
        ordered = [row[0] for row in await (await connection.execute(order, [list(claimed)])).fetchall()]
    first, texts = rows[0], sum(row.jobs is not None for row in rows)
    return Turned(
        first.done,
        first.lane_id,
        first.job_type,
        first.queue,
        first.last_order,
        texts,
        [claimed[job_id] for job_id in ordered],
    )


async def end_job(engine: Engine, executor: ExecutorId, job: Claimed, how: AttemptEnd) -> JobState | None:
    """Finish a job by itself, as the executor does with all ends but the plain successes."""
    rows = await query(
        engine.executor,
        partial(
            finish_jobs,
            executor_id=executor,
            job_ids=[job.job_id],
            epochs=[job.epoch],
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


def all_attempts(engine: Engine, job_id: JobId) -> list[tuple[int, str | None]]:
    """Every attempt of a job with its outcome: rows of `attempt`, and the newest one where it is the job's own row."""
    return engine.sql(
        """
        select a.epoch, a.outcome::text from attempt a where a.job_id = %s
        union all
        select j.claim_epoch, case j.state when 'succeeded' then 'succeeded' end
        from job j
        where j.id = %s
            and j.claim_epoch > 0
            and not exists (select 1 from attempt a where a.job_id = j.id and a.epoch = j.claim_epoch)
        order by 1
        """,
        job_id,
        job_id,
    )


def assert_counts_hold(engine: Engine) -> None:
    """What the counters say, folded and pending, is what there is."""
    wrong = engine.sql(
        """
        select lane_id, state::text, counted.jobs, found.jobs
        from (
            select c.lane_id, c.state, sum(c.jobs)::bigint as jobs
            from (
                select lane_id, state, jobs from job_count
                union all
                select lane_id, state, jobs from job_count_change
            ) c
            group by c.lane_id, c.state
        ) counted
        full join (
            select j.lane_id, j.state, count(*) as jobs from job j group by j.lane_id, j.state
        ) found using (lane_id, state)
        where coalesce(counted.jobs, 0) <> coalesce(found.jobs, 0)
        """
    )
    assert wrong == []
