"""Jobs of handlers, claimed and finished by the executor's own statement, against a test's database."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import zip_longest

import msgspec
from psycopg.types.json import Jsonb

from services.executor.finish_and_claim import Found, Wanted, finish_and_claim
from services.executor.finish_jobs import AttemptEnd
from services.executor.hold_calls import HeldCall
from services.executor.queries.finish_jobs import finish_jobs
from shared.db import Connection, query
from shared.ids import ExecutorId, JobId
from shared.queries.models import AttemptOutcome, JobState
from tests.engine import Engine

JOB_TYPE = "a"
HANDED_BACK = AttemptEnd(AttemptOutcome.HANDED_BACK)


class Turned(Found, frozen=True):
    """What one turn-over did; the jobs that it claimed are in claim order."""

    @property
    def job_ids(self) -> list[JobId]:
        """The ids of the claimed jobs."""
        return [held.job_id for held in self.claimed]


def add_jobs(engine: Engine, *jobs: Mapping[str, object]) -> list[JobId]:
    """Enqueue jobs, of JOB_TYPE unless they say otherwise; returns their ids in order."""
    given = [{"type": JOB_TYPE, **job} for job in jobs]
    return [JobId(job_id) for (job_id,) in engine.sql("select job_id from insert_jobs(%s, 'test')", Jsonb(given))]


async def turn_over(
    engine: Engine,
    executor_id: ExecutorId,
    done: Iterable[HeldCall] = (),
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
    for held, result in zip_longest(ended, results):
        held.result = "" if result is None else msgspec.json.encode(result).decode()
    statement = partial(
        finish_and_claim,
        ended=ended,
        executor_id=executor_id,
        marks=marks or {},
        wanted=Wanted.of(queues=queues, job_types=job_types, labels=labels),
        slots=slots,
    )
    found = await (statement(connection) if connection is not None else query(engine.executor, statement))
    claimed = {held.job_id: held for held in found.claimed}
    order = "select id from job where id = any(%s) order by claim_order, id"
    if connection is None:
        ordered = [row[0] for row in engine.sql(order, list(claimed))]
    else:
        ordered = [row[0] for row in await (await connection.execute(order, [list(claimed)])).fetchall()]
    sorted_found = msgspec.structs.replace(found, claimed=[claimed[job_id] for job_id in ordered])
    return Turned(*msgspec.structs.astuple(sorted_found))


async def end_job(engine: Engine, executor: ExecutorId, job: HeldCall, how: AttemptEnd) -> JobState | None:
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
