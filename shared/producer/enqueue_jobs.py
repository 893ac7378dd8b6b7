"""Enqueue jobs in the caller's own transaction, over an async connection."""

from collections.abc import Iterable

from shared.db import Connection
from shared.jobs.encode_jobs import encode_jobs
from shared.jobs.enqueued_job import EnqueuedJob
from shared.jobs.new_job import NewJob
from shared.producer.explain_refusals import explain_refusals
from shared.producer.queries.enqueue_jobs import enqueue_jobs


async def enqueue(connection: Connection, job: NewJob) -> EnqueuedJob:
    """Enqueue one job: it is there when the connection's transaction commits; in autocommit, at once.

    Raises InvalidJobError, IdempotencyConflictError, PayloadTooLargeError, and psycopg's errors as they are: after
    SerializationFailure and DeadlockDetected the transaction may be tried again.
    """
    [enqueued] = await enqueue_many(connection, [job])
    return enqueued


async def enqueue_many(connection: Connection, jobs: Iterable[NewJob]) -> list[EnqueuedJob]:
    """Enqueue up to 10,000 jobs in one round trip, all or none; returns them in their order. See `enqueue`.

    An EnqueueError's `place` says which job it is about. Jobs of one call that are due together start in its order.
    """
    encoded = encode_jobs(jobs).decode()
    with explain_refusals():
        rows = await enqueue_jobs(connection, jobs=encoded)
    return [EnqueuedJob(row.job_id, row.created) for row in rows]
