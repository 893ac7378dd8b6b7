"""The decorators that make a function the handler of a type of job."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from shared.jobs.check_options import ErrorTypes, HandlerOptions, check_options
from shared.jobs.handler_function import BatchHandlerFunction, HandlerFunction, JobMaker
from shared.jobs.job_context import JobContext
from shared.jobs.read_signature import describe_function, read_signature
from shared.jobs.retry_policy import RetryPolicy

Payload = TypeVar("Payload")
Result = TypeVar("Result")
Results = TypeVar("Results", bound=Awaitable[Sequence[object]] | Sequence[object])

_USUAL_RETRY: Final = RetryPolicy()


class Handler(Struct, frozen=True, gc=False):
    """A function, and how it is to be called."""

    job_type: str
    function: Callable[[Any, Any], Any]
    is_async: bool
    # How many jobs one call takes at most; None: the function takes one job, not a sequence.
    batch_size: int | None
    payload_type: Any
    result_type: Any
    # Turns raw JSON into the payload. Raises msgspec.DecodeError, or its ValidationError.
    decode_payload: Callable[[bytes], Any]
    max_attempts: int
    timeout_seconds: int
    retry: RetryPolicy
    # Exceptions of the function that end the job failed; all others may be retried …
    give_up_on: ErrorTypes
    # … or, if this is given, only these.
    retry_on: ErrorTypes | None

    def may_retry(self, error: BaseException) -> bool:
        """Return whether an exception that is no JobError may be tried again."""
        if isinstance(error, self.give_up_on):
            return False
        return self.retry_on is None or isinstance(error, self.retry_on)


# Every handler that was defined in this process, by its type.
defined_handlers: Final[dict[str, Handler]] = {}


def handler(
    job_type: str,
    *,
    max_attempts: int = 10,
    timeout: int | timedelta = 300,
    retry: RetryPolicy = _USUAL_RETRY,
    give_up_on: ErrorTypes = (),
    retry_on: ErrorTypes | None = None,
) -> Callable[[Callable[[Payload, JobContext], Result]], HandlerFunction[Payload, Result]]:
    """Make ``(payload: P, context: JobContext) -> R`` the handler of jobs of ``job_type``.

    It is called as before, and also makes jobs for itself: ``send_invoice.job(Invoice(7))``. An async function must not
    block; a sync one runs in a thread. The types P and R are anything that msgspec turns into JSON and back.
    ``max_attempts``, ``timeout`` (seconds, or a timedelta; of one attempt) and ``retry`` hold unless a job brings its
    own. An exception may be retried unless it is in ``give_up_on``; with ``retry_on`` only what is in there may be.
    JobErrors say themselves what is to happen.

    Raises TypeError or ValueError where the function, the name or a number cannot be right, or the name is taken.
    """
    options = HandlerOptions(
        job_type=job_type,
        batch_size=None,
        max_attempts=max_attempts,
        timeout=timeout,
        retry=retry,
        give_up_on=give_up_on,
        retry_on=retry_on,
    )

    def define(function: Callable[[Payload, JobContext], Result]) -> HandlerFunction[Payload, Result]:
        defined = _define(function, options)
        return HandlerFunction(function, JobMaker(defined.job_type, defined.decode_payload))

    return define


def batch_handler(
    job_type: str,
    *,
    most: int = 100,
    max_attempts: int = 10,
    timeout: int | timedelta = 300,
    retry: RetryPolicy = _USUAL_RETRY,
    give_up_on: ErrorTypes = (),
    retry_on: ErrorTypes | None = None,
) -> Callable[[Callable[[list[Payload], list[JobContext]], Results]], BatchHandlerFunction[Payload, Results]]:
    """Make ``(payloads: Sequence[P], contexts: Sequence[JobContext]) -> Sequence[R | JobError]`` a handler.

    It is called with up to ``most`` jobs, those that wait when it is their turn, and returns one outcome for each, in
    their order: a result, or a JobError instance. An exception is the outcome of all of them. The rest is as with
    `handler`.
    """
    options = HandlerOptions(
        job_type=job_type,
        batch_size=most,
        max_attempts=max_attempts,
        timeout=timeout,
        retry=retry,
        give_up_on=give_up_on,
        retry_on=retry_on,
    )

    def define(
        function: Callable[[list[Payload], list[JobContext]], Results],
    ) -> BatchHandlerFunction[Payload, Results]:
        defined = _define(function, options)
        return BatchHandlerFunction(function, JobMaker(defined.job_type, defined.decode_payload))

    return define


def _define(function: Callable[[Any, Any], Any], options: HandlerOptions) -> Handler:
    # One function may serve several types.
    if isinstance(function, HandlerFunction | BatchHandlerFunction):
        function = function.function
    where = f"the handler of {options.job_type!r}, {describe_function(function)}"
    check_options(where, options)
    signature = read_signature(function, batch=options.batch_size is not None)
    for what, annotation in (("payload", signature.payload), ("result", signature.result)):
        try:
            msgspec.json.schema(annotation)
        except (TypeError, NameError) as error:
            raise TypeError(f"{where}: its {what}, {annotation!r}, is nothing that JSON can hold: {error}") from error
    earlier = defined_handlers.get(options.job_type)
    # The same function again is its module imported anew.
    if earlier is not None and describe_function(earlier.function) != describe_function(function):
        raise TypeError(f"{where}: {describe_function(earlier.function)} is the handler of that type already")
    defined = Handler(
        job_type=options.job_type,
        function=function,
        is_async=signature.is_async,
        batch_size=options.batch_size,
        payload_type=signature.payload,
        result_type=signature.result,
        decode_payload=msgspec.json.Decoder(signature.payload).decode,
        max_attempts=options.max_attempts,
        timeout_seconds=options.timeout_seconds,
        retry=options.retry,
        give_up_on=options.give_up_on,
        retry_on=options.retry_on,
    )
    defined_handlers[options.job_type] = defined
    return defined
