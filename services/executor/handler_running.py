"""A running call of a handler, and how it is driven on and ended."""

import asyncio
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextvars import Context, ContextVar
from types import coroutine
from typing import Any

from services.executor.handler_forks import forked, leave_forked
from services.executor.handler_frames import Call, CallInterruption
from shared.jobs.job_context import JobContext

# The call that the code belongs to, for its log lines; for a batch, the first of it.
current_call: ContextVar[Call | None] = ContextVar("howdah_current_call", default=None)

# What a handler returned, and what it raised: one of the two.
Outcome = tuple[Any, BaseException | None]


class RunningCalls:
    """One call of a function: for one job, or for a batch."""

    __slots__ = ("_contexts", "_servant", "calls", "ends_at", "interrupted")

    def __init__(
        self,
        calls: Sequence[Call],
        contexts: Sequence[JobContext],
        ends_at: float,
        servant: "asyncio.Task[Any] | None",
    ) -> None:
        """``ends_at`` is on the monotonic clock; ``servant`` is what to cancel, None for a thread."""
        self.calls = calls
        self.ends_at = ends_at
        self.interrupted: dict[int, CallInterruption] = {}
        self._contexts = contexts
        self._servant = servant

    def interrupt(self, key: int, why: CallInterruption) -> None:
        """Ask for the end of one call; a function is canceled once all calls of it should end."""
        if key in self.interrupted:
            return
        self.interrupted[key] = why
        for call, context in zip(self.calls, self._contexts, strict=True):
            if call.key == key:
                context.set_canceled()
        if self._servant is not None and len(self.interrupted) == len(self.calls):
            self._servant.cancel()


def begin(handler: Coroutine[Any, Any, Any], call: Call) -> Any:
    """Run a handler up to where it first waits, and return the future that it waits for.

    To be called inside the handler's context (`Context.run`). Raises StopIteration, with the result, when the handler
    does not wait at all.
    """
    current_call.set(call)
    try:
        return handler.send(None)
    finally:
        if forked.is_set:
            leave_forked()


@coroutine
def resume(handler: Coroutine[Any, Any, Any], context: Context, waits_for: Any) -> Generator[Any, Any, Any]:
    """Drive a handler that has begun to its end, and return its result.

    This is ``await`` (PEP 380), but that each step runs in the handler's own context: what one handler leaves in a
    context variable, the next one on this task must not see.
    """
    sent: Any = None
    thrown: BaseException | None = None
    while True:
        try:
            sent = yield waits_for
        except BaseException as error:  # noqa: BLE001 - a cancellation as a rule: it is the handler's to deal with
            thrown = error
        if forked.is_set:
            leave_forked()
        try:
            waits_for = context.run(handler.send, sent) if thrown is None else context.run(handler.throw, thrown)
        except StopIteration as stop:
            return stop.value
        finally:
            thrown = None
            if forked.is_set:
                leave_forked()


def call_in_thread(function: Callable[[Any, Any], Any], payload: Any, context: Any, call: Call) -> Outcome:
    """Call a sync handler, and return what it returned or what it raised: some exceptions cannot pass a future."""
    current_call.set(call)
    try:
        return function(payload, context), None
    except BaseException as error:  # noqa: BLE001 - nothing a handler raises may end the thread
        return None, error
    finally:
        if forked.is_set:
            leave_forked()
