"""What a handler knows of the job that it is called for, and what it can tell while it runs."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, Protocol
from uuid import UUID

import msgspec
from msgspec import Struct

from shared.jobs.errors import JobCanceled

_MESSAGE_MOST_CHARACTERS: Final = 500


class JobDetails(Protocol):
    """The facts of one call; see the properties of JobContext."""

    @property
    def job_id(self) -> UUID: ...  # noqa: D102
    @property
    def job_type(self) -> str: ...  # noqa: D102
    @property
    def queue(self) -> str: ...  # noqa: D102
    @property
    def epoch(self) -> int: ...  # noqa: D102
    @property
    def attempt(self) -> int: ...  # noqa: D102
    @property
    def max_attempts(self) -> int: ...  # noqa: D102
    @property
    def metadata(self) -> bytes: ...  # noqa: D102
    @property
    def traceparent(self) -> str: ...  # noqa: D102


# Called with what was given as details, how much is done (0 to 1), and a message; from any thread.
OnProgress = Callable[[JobDetails, float, str], None]


class GivenDetails(Struct, frozen=True):
    """The facts of a call that was made up, for tests."""

    job_id: UUID = UUID(int=0)
    job_type: str = "test"
    queue: str = "default"
    epoch: int = 1
    attempt: int = 1
    max_attempts: int = 1
    metadata: bytes = b""
    traceparent: str = ""


class JobContext:
    """One call's view of its job. Handlers get it as their second argument; tests make it with `for_test`."""

    __slots__ = ("_canceled", "_details", "_ends_at", "_metadata", "_on_progress")

    def __init__(self, details: JobDetails, ends_at: float, on_progress: OnProgress) -> None:
        """``ends_at`` is when the timeout passes, on the monotonic clock."""
        self._details = details
        self._ends_at = ends_at
        self._on_progress = on_progress
        self._canceled = False
        self._metadata: dict[str, Any] | None = None

    @classmethod
    def for_test(
        cls,
        details: GivenDetails | None = None,
        *,
        timeout_seconds: float = 60.0,
        on_progress: OnProgress = lambda _details, _fraction, _message: None,
    ) -> "JobContext":
        """Make one, so that a handler can be called like the function that it is."""
        return cls(details or GivenDetails(), time.monotonic() + timeout_seconds, on_progress)

    @property
    def job_id(self) -> UUID:
        """The job. The same at every attempt: good for idempotency keys."""
        return self._details.job_id

    @property
    def job_type(self) -> str:
        """The name that the handler is registered under."""
        return self._details.job_type

    @property
    def queue(self) -> str:
        """The queue that the job was taken from."""
        return self._details.queue

    @property
    def attempt(self) -> int:
        """Which of the ``max_attempts`` this is; the first is 1. A snooze or a lost executor counts for none."""
        return self._details.attempt

    @property
    def epoch(self) -> int:
        """The number of this claim of the job: it only ever rises, so it can fence what an earlier call still does."""
        return self._details.epoch

    @property
    def max_attempts(self) -> int:
        """After so many attempts that went wrong the job is dead."""
        return self._details.max_attempts

    @property
    def metadata(self) -> dict[str, Any]:
        """What the job was enqueued with besides its payload."""
        if self._metadata is None:
            raw = self._details.metadata
            self._metadata = (msgspec.json.decode(raw) if raw else None) or {}
        return self._metadata

    @property
    def traceparent(self) -> str:
        """The W3C Trace Context of whoever enqueued the job; empty when there is none."""
        return self._details.traceparent

    @property
    def remaining_seconds(self) -> float:
        """What is left of the timeout; negative once it has passed."""
        return self._ends_at - time.monotonic()

    @property
    def deadline(self) -> datetime:
        """When the timeout passes."""
        return datetime.fromtimestamp(time.time() + self.remaining_seconds, UTC)

    @property
    def is_canceled(self) -> bool:
        """Whether the handler should end: canceled, out of time, or its executor leaves. It is given a grace."""
        return self._canceled

    def check_canceled(self) -> None:
        """Raise JobCanceled if the handler should end. For sync handlers; async ones are canceled where they wait."""
        if self._canceled:
            raise JobCanceled

    def report_progress(self, fraction: float, message: str = "") -> None:
        """Tell how much is done, 0 to 1, and what is being done. From any thread; of many, the newest is kept.

        Raises ValueError for a fraction outside of that.
        """
        if not 0.0 <= fraction <= 1.0:
            raise ValueError(f"progress is a number from 0 to 1, not {fraction}")
        self._on_progress(self._details, float(fraction), message[:_MESSAGE_MOST_CHARACTERS])

    async def progress(self, fraction: float, message: str = "") -> None:
        """Tell how much is done: `report_progress` for async handlers."""
        self.report_progress(fraction, message)

    def set_canceled(self) -> None:
        """Let the handler see that it should end. For whoever calls handlers, and for tests."""
        self._canceled = True
