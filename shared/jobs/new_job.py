"""A job that is to be enqueued."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, TypedDict

import msgspec
from msgspec import Struct
from msgspec.structs import force_setattr

from shared.jobs.refusals import InvalidJobError
from shared.jobs.retry_policy import RetryPolicy


class JobOptions(TypedDict, total=False):
    """What can be said of a job besides its type and payload: the fields of `NewJob`."""

    queue: str | None
    labels: Sequence[str]
    run_at: datetime | None
    delay: float | timedelta | None
    priority: int
    max_attempts: int | None
    timeout: int | timedelta | None
    idempotency_key: str | None
    idempotency_seconds: float | None
    concurrency_key: str | None
    retry: RetryPolicy | None
    metadata: dict[str, Any] | None
    traceparent: str | None


class NewJob(
    Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    rename={"delay": "delay_seconds", "timeout": "timeout_seconds"},
):
    """A job to enqueue. What is left out is as its handler, or Howdah, has it by default.

    What the encoding would hide is checked here; all else where the job is enqueued.
    Raises InvalidJobError.
    """

    type: str
    # Anything that msgspec turns into JSON; what is JSON already goes as msgspec.Raw.
    payload: Any = None
    queue: str | None = None
    # What an executor must have.
    labels: Sequence[str] = ()
    # When it may start: one of the two, or at once. A delay is in seconds, or a timedelta.
    run_at: datetime | None = None
    delay: float | timedelta | None = None
    # From -100 to 100; a higher one goes first, a point counting as a minute of waiting.
    priority: int = 0
    max_attempts: int | None = None
    # Of one attempt: whole seconds, or a timedelta.
    timeout: int | timedelta | None = None
    idempotency_key: str | None = None
    # How long the key counts; a week by default.
    idempotency_seconds: float | None = None
    concurrency_key: str | None = None
    retry: RetryPolicy | None = None
    metadata: dict[str, Any] | None = None
    # W3C Trace Context.
    traceparent: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.payload, msgspec.Raw):
            _check_raw(self, self.payload)
        if self.run_at is not None:
            _check_time(self, self.run_at)
        if self.delay is not None:
            force_setattr(self, "delay", _seconds_of(self, "delay", self.delay))
        if self.timeout is not None:
            force_setattr(self, "timeout", _seconds_of(self, "timeout", self.timeout))
        if self.idempotency_seconds is not None:
            _seconds_of(self, "idempotency_seconds", self.idempotency_seconds)


def _check_raw(job: NewJob, payload: msgspec.Raw) -> None:
    # It is sent as it stands: what ends too early would go on as fields, or jobs, that nobody meant.
    try:
        msgspec.json.decode(payload)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise InvalidJobError(f"a {job.type!r} job has a raw payload that is not JSON: {error}") from error


def _check_time(job: NewJob, run_at: datetime) -> None:
    if job.delay is not None:
        raise InvalidJobError(f"a {job.type!r} job has both run_at and delay", "Give one of them.")
    if run_at.utcoffset() is None:
        raise InvalidJobError(f"a {job.type!r} job has a run_at without a time zone", "Give it one: UTC, say.")


def _seconds_of(job: NewJob, name: str, duration: float | timedelta) -> float:
    """Return the number that is sent; a whole one, where it is."""
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else duration
    try:
        finite = math.isfinite(seconds)
    except (TypeError, OverflowError):
        finite = False
    # JSON has no such number: it would be sent as null, which means the default.
    if not finite:
        raise InvalidJobError(f"a {job.type!r} job has a {name} of {seconds!r}", "Give a number of seconds.")
    return int(seconds) if seconds == int(seconds) else seconds
