"""Enqueue jobs in the caller's own transaction, over a connection that blocks."""

from collections.abc import Iterable

from shared.db import BlockingConnection
from shared.jobs.encode_jobs import encode_jobs
from shared.jobs.enqueued_job import EnqueuedJob
from shared.jobs.new_job import NewJob
from shared.producer.blocking_queries.enqueue_jobs import enqueue_jobs
from shared.producer.explain_refusals import explain_refusals


def enqueue_blocking(connection: BlockingConnection, job: NewJob) -> EnqueuedJob:
    """Enqueue one job, as `enqueue` does."""
    [enqueued] = enqueue_many_blocking(connection, [job])
    return enqueued


def enqueue_many_blocking(connection: BlockingConnection, jobs: Iterable[NewJob]) -> list[EnqueuedJob]:
    """Enqueue up to 10,000 jobs, as `enqueue_many` does."""
    encoded = encode_jobs(jobs).decode()
    with explain_refusals():
        rows = enqueue_jobs(connection, jobs=encoded)
    return [EnqueuedJob(row.job_id, row.created) for row in rows]
