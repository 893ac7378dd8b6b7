"""Run the calls of a handler process: many async ones side by side, sync ones in threads, batches together.

No task is made for each call. Servants, which are tasks that live on, take calls from one queue; a servant whose
handler waits for something wakes the next one, so handlers that never wait cost no switch of tasks at all.
"""

import asyncio
import logging
import os
import time
from collections import deque
from collections.abc import Awaitable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from typing import Any, Final

from services.executor.handler_batches import check_outcomes, take_batch
from services.executor.handler_channel import Channel
from services.executor.handler_end_call import (
    end_crashed,
    end_interrupted,
    end_invalid_payload,
    end_raised,
    end_returned,
    end_unknown,
)
from services.executor.handler_forks import forked, leave_forked
from services.executor.handler_frames import OUT_OF_MEMORY_STATUS, Call, CallEnd, CallInterruption
from services.executor.handler_outbox import Outbox
from services.executor.handler_running import Outcome, RunningCalls, begin, call_in_thread, resume
from shared.jobs.define_handler import Handler
from shared.jobs.errors import JobError
from shared.jobs.job_context import JobContext
from shared.jobs.retry_policy import RetryPolicy

logger = logging.getLogger(__name__)

_FAULT_STATUS: Final = 70
# How long handlers that do not wait may keep the loop from its pipes and clocks.
_SLICE_SECONDS: Final = 0.001
_TICK_SECONDS: Final = 0.05

# In the queue, where others have their seat: one batch of its type may be begun.
_BATCH: Final = -1

_Servant = asyncio.Task[None]
_Given = tuple[int, Call]


class CallRunner:
    """The calls of one process: those that wait and those that run. Every one that is given ends in the outbox."""

    def __init__(
        self, handlers: Mapping[str, Handler], marks: "memoryview[float]", channel: Channel, concurrency: int
    ) -> None:
        """``marks`` tell the executor what has begun; ``concurrency`` calls run at a time, a batch counting for one."""
        self._handlers = handlers
        self._marks = marks
        self._channel = channel
        self._concurrency = concurrency
        self._loop = asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="handler")
        self._outbox = Outbox(channel)
        self._queue: deque[_Given] = deque()
        # Calls for handlers of batches wait here; in the queue, each stands for a batch that may be begun.
        self._batches: dict[str, deque[_Given]] = {}
        self._running: dict[int, RunningCalls] = {}
        self._servants: set[_Servant] = set()
        self._idle: list[asyncio.Future[None]] = []
        self._slice_ends = 0.0
        self._ticking = False

    def give(self, seats: Sequence[int], calls: Sequence[Call]) -> None:
        """Take calls, to be run in their order."""
        for seat, call in zip(seats, calls, strict=True):
            handler = self._handlers.get(call.job_type)
            if handler is None or handler.batch_size is None:
                self._queue.append((seat, call))
            else:
                self._batches.setdefault(call.job_type, deque()).append((seat, call))
                self._queue.append((_BATCH, call))
        self._wake()

    def interrupt(self, keys: Sequence[int], why: CallInterruption) -> None:
        """End calls: those that wait at once, those that run as soon as they let themselves be ended."""
        waiting = set()
        for key in keys:
            running = self._running.get(key)
            if running is None:
                waiting.add(key)
            else:
                running.interrupt(key, why)
        if waiting:
            for queue in (self._queue, *self._batches.values()):
                self._drop(queue, waiting, why)

    def _drop(self, queue: deque[_Given], keys: set[int], why: CallInterruption) -> None:
        dropped = [call for seat, call in queue if seat != _BATCH and call.key in keys]
        if dropped:
            kept = [(seat, call) for seat, call in queue if seat == _BATCH or call.key not in keys]
            queue.clear()
            queue.extend(kept)
            for call in dropped:
                self._outbox.add_end(end_interrupted(call, why, self._retry_of(call)))

    def _retry_of(self, call: Call) -> RetryPolicy:
        handler = self._handlers.get(call.job_type)
        return RetryPolicy() if handler is None else handler.retry

    # --- servants

    def _wake(self) -> None:
        """See to it that one more servant looks at the queue, if there is one or may be one."""
        if self._idle:
            self._idle.pop().set_result(None)
        elif len(self._servants) < self._concurrency:
            servant = self._loop.create_task(self._serve())
            self._servants.add(servant)
            servant.add_done_callback(self._forget)

    def _forget(self, servant: _Servant) -> None:
        self._servants.discard(servant)
        if not servant.cancelled() and servant.exception() is not None:
            logger.critical("a fault of the handler process itself", exc_info=servant.exception())
            os._exit(_FAULT_STATUS)
        if self._queue:
            self._wake()

    async def _serve(self) -> None:
        """Take and run calls until something has touched this task, which is then no good for another handler."""
        servant = asyncio.current_task()
        if servant is None:
            raise RuntimeError("a servant is a task")
        while not servant.cancelling():
            if forked.is_set:
                leave_forked()
            if not self._queue or self._channel.is_choked:
                await self._wait()
                continue
            now = time.monotonic()
            if now >= self._slice_ends:
                await asyncio.sleep(0)
                self._slice_ends = time.monotonic() + _SLICE_SECONDS
                continue
            seat, call = self._queue.popleft()
            handler = self._handlers.get(call.job_type)
            if handler is None:
                self._outbox.add_end(end_unknown(call))
            elif seat == _BATCH:
                await self._run_batch(handler, servant)
            else:
                rest = self._run_one(handler, seat, call, servant, now)
                if rest is not None:
                    await rest

    async def _wait(self) -> None:
        """Return when there may be something to do."""
        if self._queue:
            await self._channel.wait_drained()
            return
        if not self._running:
            self._outbox.send_ends()
        rung = self._loop.create_future()
        self._idle.append(rung)
        try:
            await rung
        finally:
            if rung in self._idle:
                self._idle.remove(rung)

    # --- calls

    def _run_one(
        self, handler: Handler, seat: int, call: Call, servant: _Servant, now: float
    ) -> Coroutine[Any, Any, None] | None:
        """Run a call up to where its handler first waits, and return the rest of it; None when there is no rest.

        Many handlers never wait, and those that do spend little of their time here: no coroutine of ours is made before
        there is something to wait for.
        """
        self._marks[seat] = now
        try:
            payload = handler.decode_payload(call.payload or b"null")
        except Exception as error:  # noqa: BLE001 - a payload's own checks may raise anything
            self._end(seat, end_invalid_payload(call, error))
            return None
        ends_at = now + call.timeout_seconds
        context = JobContext(call, ends_at, self._outbox.add_progress)
        if not handler.is_async:
            running = RunningCalls((call,), (context,), ends_at, None)
            return self._end_one(handler, seat, call, running, self._call_in_thread(handler, payload, context, running))
        returned, raised, waits_for = None, None, None
        apart = copy_context()
        coroutine = handler.function(payload, context)
        try:
            waits_for = apart.run(begin, coroutine, call)
        except StopIteration as stop:
            returned = stop.value
        except BaseException as error:  # noqa: BLE001 - whatever it is, it ends this call and nothing else
            raised = error
        else:
            running = RunningCalls((call,), (context,), ends_at, servant)
            return self._end_one(handler, seat, call, running, self._go_on(coroutine, apart, waits_for, running))
        if returned is None and raised is None:
            self._marks[seat] = -now
            self._outbox.add_success(call.key)
        else:
            self._end(seat, self._end_of(call, handler, None, returned, raised))
        return None

    async def _end_one(
        self, handler: Handler, seat: int, call: Call, running: RunningCalls, outcome: Awaitable[Outcome]
    ) -> None:
        returned, raised = await outcome
        self._end(seat, self._end_of(call, handler, running, returned, raised))

    async def _run_batch(self, handler: Handler, servant: _Servant) -> None:
        now = time.monotonic()
        batch = take_batch(
            self._batches[handler.job_type],
            handler,
            lambda seat: self._marks.__setitem__(seat, now),
            lambda seat, call, error: self._end(seat, end_invalid_payload(call, error)),
        )
        if not batch.calls:
            return
        ends_at = now + batch.calls[0].timeout_seconds
        contexts = [JobContext(call, ends_at, self._outbox.add_progress) for call in batch.calls]
        running = RunningCalls(batch.calls, contexts, ends_at, servant if handler.is_async else None)
        returned, raised = await self._call(handler, batch.payloads, contexts, running)
        outcomes = [None] * len(batch.calls) if raised else check_outcomes(returned, len(batch.calls))
        for seat, call, outcome in zip(batch.seats, batch.calls, outcomes, strict=True):
            self._end(seat, self._end_of(call, handler, running, outcome, raised))

    async def _call(self, handler: Handler, payload: Any, context: Any, running: RunningCalls) -> Outcome:
        """Call the function, and return what it returns or raises."""
        if not handler.is_async:
            return await self._call_in_thread(handler, payload, context, running)
        apart = copy_context()
        coroutine = handler.function(payload, context)
        try:
            waits_for = apart.run(begin, coroutine, running.calls[0])
        except StopIteration as stop:
            return stop.value, None
        except BaseException as error:  # noqa: BLE001 - whatever it is, it ends this call and nothing else
            return None, error
        return await self._go_on(coroutine, apart, waits_for, running)

    async def _go_on(
        self, coroutine: Coroutine[Any, Any, Any], apart: Context, waits_for: Any, running: RunningCalls
    ) -> Outcome:
        """Drive a handler that has begun to its end."""
        self._register(running)
        try:
            return await resume(coroutine, apart, waits_for), None
        except BaseException as error:  # noqa: BLE001 - the same
            return None, error
        finally:
            self._unregister(running)

    async def _call_in_thread(self, handler: Handler, payload: Any, context: Any, running: RunningCalls) -> Outcome:
        thread = self._loop.run_in_executor(
            self._threads, copy_context().run, call_in_thread, handler.function, payload, context, running.calls[0]
        )
        self._register(running)
        while not thread.done():
            try:
                await asyncio.shield(thread)
            except asyncio.CancelledError:
                # Some handler cancels tasks that are not its own. A thread cannot be canceled: wait for it still.
                continue
        self._unregister(running)
        return thread.result()

    def _register(self, running: RunningCalls) -> None:
        for call in running.calls:
            self._running[call.key] = running
        if self._queue:
            self._wake()
        if not self._ticking:
            self._ticking = True
            self._loop.call_later(_TICK_SECONDS, self._tick)

    def _unregister(self, running: RunningCalls) -> None:
        for call in running.calls:
            del self._running[call.key]

    def _tick(self) -> None:
        now = time.monotonic()
        for running in list(self._running.values()):
            if now >= running.ends_at:
                for call in running.calls:
                    running.interrupt(call.key, CallInterruption.TIMED_OUT)
        self._ticking = bool(self._running)
        if self._ticking:
            self._loop.call_later(_TICK_SECONDS, self._tick)

    def _end(self, seat: int, end: CallEnd) -> None:
        self._marks[seat] = -self._marks[seat]
        self._outbox.add_end(end)

    def _end_of(
        self, call: Call, handler: Handler, running: RunningCalls | None, returned: object, raised: BaseException | None
    ) -> CallEnd:
        """A result counts even if it comes after the call was to end: what was done is done."""
        error = returned if isinstance(returned, JobError) else raised
        if error is None:
            return end_returned(call, returned)
        why = None if running is None else running.interrupted.get(call.key)
        if why is not None:
            return end_interrupted(call, why, handler.retry)
        if isinstance(error, MemoryError):
            if self._running:
                # Which of the calls took it all is for the executor to find out, and not the fault of this one.
                logger.critical("out of memory, with %d more calls running", len(self._running))
                os._exit(OUT_OF_MEMORY_STATUS)
            return end_crashed(call, handler.retry, "out_of_memory", f"ran out of memory: {error}".rstrip(": "))
        return end_raised(call, handler, error)
