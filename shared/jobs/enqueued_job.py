"""What enqueueing answers."""

from msgspec import Struct

from shared.ids import JobId


class EnqueuedJob(Struct, frozen=True):
    """A job by its id; not `created`: its idempotency key led to an earlier one."""

    job_id: JobId
    created: bool
