"""Why a job was not enqueued: the same errors, whichever way it was to go."""

import re
from collections.abc import Mapping
from typing import ClassVar, Final
from uuid import UUID

from shared.errors import RefusedError
from shared.ids import JobId

# How the schema's functions name the job that an error is about, and the one that had the key before it.
_PLACE: Final = re.compile(r"job ([0-9]+)\b")
_EARLIER_JOB: Final = re.compile(r"by job ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")


class EnqueueError(RefusedError):
    """A job was not enqueued, nor was any other of the same call. The message says what is wrong, and what to do.

    `place` is the job's, from 0, among those of the call; None if no single job is to blame.
    """

    sqlstate: ClassVar[str]

    def __init__(self, message: str, hint: str = "", place: int | None = None) -> None:
        super().__init__(self.sqlstate, message, hint)
        self.place = place

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message.rstrip('.')}. {self.hint}" if self.hint else message


class InvalidJobError(EnqueueError):
    """A field is malformed, or the payload is none that the handler takes."""

    sqlstate = "HD422"


class PayloadTooLargeError(EnqueueError):
    """The payload has more than 1 MiB, the metadata more than 64 KiB, or the call holds more than fits in one."""

    sqlstate = "HD413"


class IdempotencyConflictError(EnqueueError):
    """The idempotency key was used for another payload or queue, by the job `earlier_job_id`, if that is known."""

    sqlstate = "HD409"

    def __init__(self, message: str, hint: str = "", place: int | None = None) -> None:
        super().__init__(message, hint, place)
        found = _EARLIER_JOB.search(message)
        self.earlier_job_id = None if found is None else JobId(UUID(found[1]))


_BY_SQLSTATE: Final[Mapping[str, type[EnqueueError]]] = {
    kind.sqlstate: kind for kind in (InvalidJobError, PayloadTooLargeError, IdempotencyConflictError)
}


def explain_refusal(refusal: RefusedError) -> EnqueueError:
    """Return what the schema's functions refused as an error that says of which job."""
    message = refusal.args[0]
    found = _PLACE.match(message)
    return _BY_SQLSTATE[refusal.code](message, refusal.hint, None if found is None else int(found[1]))
