"""What a program imports that enqueues jobs inside its own transaction, over a psycopg connection.

Its role is howdah_producer, or one that was granted it. Async programs await ``enqueue`` and ``enqueue_many``; for
others, ``enqueue_blocking`` and ``enqueue_many_blocking`` are the same over a connection that blocks::

    async with connection.transaction():
        await connection.execute("insert into …")
        await enqueue(connection, send_invoice.job(Invoice(order_id=7), idempotency_key="order-7"))

A refusal is an error of PostgreSQL's too: it ends the transaction. Who would go on after one enqueues within
``connection.transaction()``, which inside of a transaction is a savepoint.
"""

from shared.jobs import EnqueueError, IdempotencyConflictError, InvalidJobError, NewJob, PayloadTooLargeError
from shared.jobs.enqueued_job import EnqueuedJob
from shared.producer.enqueue_blocking import enqueue_blocking, enqueue_many_blocking
from shared.producer.enqueue_jobs import enqueue, enqueue_many

__all__ = [
    "EnqueueError",
    "EnqueuedJob",
    "IdempotencyConflictError",
    "InvalidJobError",
    "NewJob",
    "PayloadTooLargeError",
    "enqueue",
    "enqueue_blocking",
    "enqueue_many",
    "enqueue_many_blocking",
]
