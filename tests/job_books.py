"""What the database says of jobs on their own, read and put right as superuser: to be held against a model."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg

from shared.queries.models import JobState
from tests.database import TestDatabase
from tests.job_model import FINAL, ModelJob
from tests.producer import Producer, open_producer

BOOKS = """
select
    j.id, j.state::text, j.reason, j.claim_epoch, j.attempts_used, j.losses, j.redrives,
    j.cancel_requested_at is not null, case when j.claim_epoch > 0 then j.executor_id end, j.finished_at is not null,
    l.queue, l.job_type,
    (
        select jsonb_object_agg(t.epoch, t.outcome)
        from (
            select a.epoch, a.outcome::text from attempt a where a.job_id = j.id
            union all
            select j.claim_epoch, case j.state when 'succeeded' then 'succeeded' end
            where j.claim_epoch > 0
                and not exists (select 1 from attempt a where a.job_id = j.id and a.epoch = j.claim_epoch)
        ) t
    )
from job j
join lane l on l.id = j.lane_id
"""
MISCOUNTED = """
select lane_id, state, coalesce(c.jobs, 0), coalesce(f.jobs, 0)
from (
    select lane_id, state, sum(jobs) as jobs
    from (select * from job_count union all select * from job_count_change) both_kinds
    group by lane_id, state
) c
full join (select lane_id, state, count(*) as jobs from job group by lane_id, state) f using (lane_id, state)
where coalesce(c.jobs, 0) <> coalesce(f.jobs, 0)
"""
# Moving all times back is moving the clock forward.
PASS_TIME = (
    """
    update job
    set run_at = run_at - %(by)s::interval,
        claim_order = claim_order - extract(epoch from %(by)s::interval)::bigint * 1000000
    """,
    "update job_key set expires_at = expires_at - %(by)s::interval",
    "update limit_window set slices_end_at = array(select s - %(by)s::interval from unnest(slices_end_at) s)",
)
FORGET = (
    "delete from job",
    "delete from executor",
    "delete from queue",
    "delete from limit_key",
    "delete from job_count",
    "delete from job_count_change",
    "delete from audit_event",
)


class JobBooks:
    """A superuser's connection, and a producer's."""

    def __init__(self, connection: psycopg.Connection[Any], producer: Producer) -> None:
        self._connection = connection
        self.producer = producer

    def read(self) -> dict[UUID, tuple[object, ...]]:
        """All jobs, as `as_in_the_books` says that they should be."""
        return {row[0]: row[1:] for row in self._connection.execute(BOOKS).fetchall()}

    def state_of(self, job_id: UUID) -> JobState:
        """The state of one job."""
        row = self._connection.execute("select state::text from job where id = %s", [job_id]).fetchone()
        assert row is not None
        return JobState(row[0])

    def row_of(self, job_id: UUID) -> str:
        """Where the row of one job is, as ctid."""
        row = self._connection.execute("select ctid::text from job where id = %s", [job_id]).fetchone()
        assert row is not None
        return str(row[0])

    def miscounted(self) -> list[tuple[Any, ...]]:
        """Lanes and states of which the counters say something else than the rows."""
        return self._connection.execute(MISCOUNTED).fetchall()

    def set_limit(
        self, name: str, max_running: int, *, rate_count: int | None = None, rate_seconds: int | None = None
    ) -> None:
        """Limit a concurrency key."""
        self._connection.execute(
            "insert into limit_key (name, max_running, rate_count, rate_seconds) values (%s, %s, %s, %s)",
            [name, max_running, rate_count, rate_seconds],
        )

    def limit_names(self) -> dict[int, str]:
        """The names of concurrency keys by their ids."""
        return dict(self._connection.execute("select id, name from limit_key").fetchall())

    def busy_by_limit(self) -> dict[str, int]:
        """How many jobs of each concurrency key are ready or running."""
        return dict(
            self._connection.execute(
                """
                select k.name, count(*) from job j join limit_key k on k.id = j.limit_key_id
                where j.state in ('ready', 'running') group by k.name
                """
            ).fetchall()
        )

    def pass_time(self, hours: int) -> None:
        """Let so many hours pass."""
        for statement in PASS_TIME:
            self._connection.execute(statement, {"by": f"{hours} hours"})

    def forget(self) -> None:
        """Remove everything."""
        for statement in FORGET:
            self._connection.execute(statement)


@contextmanager
def open_books(database: TestDatabase) -> Iterator[JobBooks]:
    """Connect."""
    with psycopg.connect(database.dsn(), autocommit=True) as connection, open_producer(database) as producer:
        yield JobBooks(connection, producer)


def as_in_the_books(job: ModelJob) -> tuple[object, ...]:
    """What BOOKS says of a job that is as the model has it."""
    outcomes = {str(epoch): outcome for epoch, outcome in job.outcomes.items()}
    return (
        job.state.value,
        job.reason,
        job.epoch,
        job.attempts_used,
        job.losses,
        job.redrives,
        job.is_flagged,
        job.executor_id,
        job.state in FINAL,
        job.asked.queue,
        job.asked.job_type,
        outcomes or None,
    )
