"""Jobs as the HTTP API shows them. Fields that a newer Howdah adds are passed over."""

from datetime import datetime
from typing import Any

import msgspec

from shared.ids import CommandId, ExecutorId, JobId, RunId
from shared.queries.models import AttemptOutcome, JobState


class Progress(msgspec.Struct, frozen=True):
    """What the newest attempt last said of its progress; `fraction` is between 0 and 1."""

    fraction: float
    message: str
    at: datetime


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try at a job."""

    epoch: int
    executor_id: ExecutorId
    executor_name: str | None
    started_at: datetime
    # None while it runs.
    ended_at: datetime | None
    outcome: AttemptOutcome | None
    error: str | None


class ListedJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job as lists show it."""

    job_id: JobId
    # None for a job on its own.
    run_id: RunId | None
    job_type: str
    queue: str
    labels: list[str]
    state: JobState
    # A code: of its waiting, or of its end.
    reason: str | None
    priority: int
    concurrency_key: str | None
    metadata: Any
    enqueued_by: str
    attempts_used: int
    max_attempts: int
    # How often somebody has brought it back from its end.
    redrives: int
    cancel_requested_at: datetime | None
    created_at: datetime
    run_at: datetime
    # Of the newest attempt.
    started_at: datetime | None
    finished_at: datetime | None
    error: str | None

    @property
    def has_ended(self) -> bool:
        """Whether the job has ended, well or not; only a redrive could bring it back."""
        return self.finished_at is not None


class JobDetails(ListedJob, frozen=True, kw_only=True):
    """A job with everything that was tried."""

    payload: Any
    # What the handler returned.
    result: Any
    timeout_seconds: int
    retry: Any
    traceparent: str | None
    idempotency_key: str | None
    # How many executors were lost with it.
    losses: int
    # In a sentence, why it does not run yet.
    waits_for: str | None
    canceled_by: str | None
    cancel_why: str | None
    progress: Progress | None
    attempts: list[Attempt]


class JobPage(msgspec.Struct, frozen=True):
    """Some jobs, newest first, and the cursor of the next page."""

    jobs: list[ListedJob]
    next: str | None


class GivenCommand(msgspec.Struct, frozen=True):
    """What a command about a job is answered with."""

    command_id: CommandId
