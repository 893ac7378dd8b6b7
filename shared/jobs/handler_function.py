"""What the decorators leave in a function's place: the function, which can also make jobs of itself."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar, Unpack

import msgspec

from shared.jobs.job_context import JobContext
from shared.jobs.new_job import JobOptions, NewJob
from shared.jobs.refusals import InvalidJobError

Payload = TypeVar("Payload")
Result = TypeVar("Result")


class JobMaker(msgspec.Struct, frozen=True):
    """Makes jobs of one type."""

    job_type: str
    # Turns JSON into the payload, as it is done before the handler is called.
    decode_payload: Callable[[bytes], Any]

    def make_job(self, payload: object, options: JobOptions) -> NewJob:
        """Return the job. Raises InvalidJobError for a payload that its handler would not take."""
        try:
            self.decode_payload(msgspec.json.encode(payload))
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise InvalidJobError(f"that is no payload of the type {self.job_type!r}: {error}") from error
        return NewJob(type=self.job_type, payload=payload, **options)


class HandlerFunction(Generic[Payload, Result]):
    """The handler of one job, called like the function that it is: ``await send_invoice(Invoice(7), context)``."""

    def __init__(self, function: Callable[[Payload, JobContext], Result], maker: JobMaker) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self._maker = maker

    def __call__(self, payload: Payload, context: JobContext, /) -> Result:
        """Call the function."""
        return self.function(payload, context)

    def job(self, payload: Payload, /, **options: Unpack[JobOptions]) -> NewJob:
        """Return a job for this handler, to be enqueued. The options are the other fields of NewJob.

        Raises InvalidJobError for a payload that the handler would not take.
        """
        return self._maker.make_job(payload, options)


class BatchHandlerFunction(Generic[Payload, Result]):
    """The handler of many jobs, called like the function that it is."""

    def __init__(self, function: Callable[[list[Payload], list[JobContext]], Result], maker: JobMaker) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self._maker = maker

    def __call__(self, payloads: Sequence[Payload], contexts: Sequence[JobContext], /) -> Result:
        """Call the function, with lists as an executor does."""
        return self.function(list(payloads), list(contexts))

    def job(self, payload: Payload, /, **options: Unpack[JobOptions]) -> NewJob:
        """Return one job for this handler, to be enqueued. The options are the other fields of NewJob.

        Raises InvalidJobError for a payload that the handler would not take.
        """
        return self._maker.make_job(payload, options)
