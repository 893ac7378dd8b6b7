"""What the decorators are told besides the function, checked where it is written: at import."""

import re
from datetime import timedelta
from typing import Final

from msgspec import Struct

from shared.jobs.errors import JobError
from shared.jobs.retry_policy import RetryPolicy

ErrorTypes = tuple[type[BaseException], ...]

# The limits of the schema's columns.
_TYPE_NAME: Final = re.compile(r"[a-z][a-z0-9_.-]{0,62}")
_MOST_ATTEMPTS: Final = 100
_MOST_SECONDS: Final = 604_800
_MOST_BATCH: Final = 10_000


class HandlerOptions(Struct, frozen=True, kw_only=True):
    """How the jobs of a type are called and tried again."""

    job_type: str
    batch_size: int | None
    max_attempts: int
    timeout: int | timedelta
    retry: RetryPolicy
    give_up_on: ErrorTypes
    retry_on: ErrorTypes | None

    @property
    def timeout_seconds(self) -> int:
        """How long one attempt may take."""
        return int(self.timeout.total_seconds() if isinstance(self.timeout, timedelta) else self.timeout)


def check_options(where: str, options: HandlerOptions) -> None:
    """Raise ValueError or TypeError, beginning with ``where``, for what cannot be right."""
    _check_name(where, options.job_type)
    _check_range(where, "max_attempts", options.max_attempts, _MOST_ATTEMPTS)
    if options.batch_size is not None:
        _check_range(where, "most", options.batch_size, _MOST_BATCH)
    timeout = options.timeout.total_seconds() if isinstance(options.timeout, timedelta) else options.timeout
    _check_range(where, "timeout, in seconds,", timeout, _MOST_SECONDS)
    if not isinstance(options.retry, RetryPolicy):
        raise TypeError(f"{where}: retry must be a RetryPolicy, not {options.retry!r}")
    _check_error_types(where, "give_up_on", options.give_up_on)
    if options.retry_on is not None:
        _check_error_types(where, "retry_on", options.retry_on)


def _check_name(where: str, name: object) -> None:
    if not isinstance(name, str) or _TYPE_NAME.fullmatch(name) is None:
        raise ValueError(
            f"{where}: a type is named by a lower-case letter and up to 62 more of a-z, 0-9, '_', '.' and '-'"
        )


def _check_range(where: str, name: str, value: object, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{where}: {name} must be a number, not {value!r}")
    if not 1 <= value <= most or value != int(value):
        raise ValueError(f"{where}: {name} must be a whole number from 1 to {most}, not {value}")


def _check_error_types(where: str, name: str, error_types: object) -> None:
    if not isinstance(error_types, tuple):
        raise TypeError(f"{where}: {name} must be a tuple of exception classes, not {error_types!r}")
    for one in error_types:
        if not (isinstance(one, type) and issubclass(one, BaseException)):
            raise TypeError(f"{where}: {name} must be a tuple of exception classes, and {one!r} is none")
        if issubclass(one, JobError):
            raise TypeError(f"{where}: {one.__name__} in {name} is a JobError: those say themselves what is to happen")
