"""How a handler says that a job did not succeed, and what should become of it. Raise these, or return them."""

import math

from shared.errors import HowdahError


class JobError(HowdahError):
    """Root of what a handler raises or returns instead of a result; by itself, an error that may be retried.

    ``reason`` is a short code that jobs can be counted and filtered by; without it, the name of the class.
    """

    def __init__(self, message: str = "", *, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason or type(self).__name__


class PermanentError(JobError):
    """Trying again cannot help: the job ends failed."""


class RetryableError(JobError):
    """Trying again may help: after ``retry_in_seconds``, or when the retry policy says."""

    def __init__(self, message: str = "", retry_in_seconds: float | None = None, *, reason: str = "") -> None:
        super().__init__(message, reason=reason)
        if retry_in_seconds is not None:
            _check_seconds(retry_in_seconds)
        self.retry_in_seconds = retry_in_seconds


class Snooze(JobError):  # noqa: N818 - no error: not now
    """Not now: call again in so many seconds. Costs no attempt."""

    def __init__(self, seconds: float, message: str = "", *, reason: str = "snoozed") -> None:
        super().__init__(message, reason=reason)
        _check_seconds(seconds)
        self.seconds = seconds


# A BaseException, to pass by `except Exception` as CancelledError does.
class JobCanceled(BaseException):
    """The job was canceled, ran out of time, or its executor leaves; raised by ``check_canceled``."""


def _check_seconds(seconds: float) -> None:
    if not (seconds >= 0 and math.isfinite(seconds)):
        raise ValueError(f"a job cannot wait {seconds} seconds: give a number that is finite and not negative")
