"""What a writer of handlers imports: the decorators, the context, the errors.

A handler is a function of a payload and a context, sync or async, whose annotations say what the payload and the
result are::

    @handler("send_email", max_attempts=5, timeout=60, give_up_on=(ValueError,))
    async def send_email(payload: SendEmail, context: JobContext) -> Sent: ...

Who enqueues makes jobs with it, whose payload is checked: ``send_email.job(SendEmail(…), idempotency_key="…")``.

It may be called again for the same job: after an error, and when its process or executor died halfway. So write it
such that a second call does no harm; ``context.job_id`` is the same each time.
"""

from shared.jobs.define_handler import batch_handler, handler
from shared.jobs.errors import JobCanceled, JobError, PermanentError, RetryableError, Snooze
from shared.jobs.job_context import JobContext
from shared.jobs.new_job import NewJob
from shared.jobs.refusals import EnqueueError, IdempotencyConflictError, InvalidJobError, PayloadTooLargeError
from shared.jobs.retry_policy import RetryPolicy

__all__ = [
    "EnqueueError",
    "IdempotencyConflictError",
    "InvalidJobError",
    "JobCanceled",
    "JobContext",
    "JobError",
    "NewJob",
    "PayloadTooLargeError",
    "PermanentError",
    "RetryPolicy",
    "RetryableError",
    "Snooze",
    "batch_handler",
    "handler",
]
