"""The handler processes of an executor: give them calls, and see to it that every call ends exactly once.

A process may die, or hang, with several calls in its hands, and nobody knows which of them is to blame. Then those that
had begun are run again, each alone in a process kept for that; whoever takes that one down, too, was it. All others are
given to another process. The replacement of a process is started before it is needed.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import anyio

from services.executor.handler_end_call import end_interrupted
from services.executor.handler_fallout import clear_suspects, sort_out
from services.executor.handler_flight import FlyingCall
from services.executor.handler_frames import (
    Call,
    CallEnd,
    CallInterruption,
    CallOutcome,
    EndedCalls,
    FromChild,
    Progress,
    ProgressNote,
)
from services.executor.handler_process import Condemnation, HandlerProcess, ProcessSettings
from services.executor.handler_roster import ProcessRoster, RosterSettings
from services.executor.handler_watch import WatchLimits
from services.executor.resolve_run_as import RunAs
from shared.jobs.describe_handlers import HandlerEntry
from shared.jobs.retry_policy import RetryPolicy

_START_SECONDS: Final = 60.0
_CALLS_BEYOND: Final = 2
# After so many failures in a row to get a process going, calls are handed back instead of being kept waiting.
_PATIENCE_FAILURES: Final = 5


class HandlerPool:
    """Runs calls in handler processes. `start` it, `run` it for as long as it is used, and `aclose` it."""

    def __init__(
        self,
        *,
        processes: int,
        modules: Sequence[str],
        memory_bytes: int,
        grace_seconds: float,
        stall_seconds: float,
        on_ends: Callable[[Sequence[CallEnd]], None],
        on_progress: Callable[[Sequence[ProgressNote]], None],
        on_succeeded: Callable[[Sequence[int]], None] | None = None,
        entry_points: bool = True,
        env: Mapping[str, str] | None = None,
        concurrency: int = 100,
        spares: int = 1,
        quarantines: int = 2,
        recycle_after_calls: int | None = None,
        run_as: RunAs | None = None,
        mark: str | None = None,
        reaper_pid: int | None = None,
        log_level: str = "info",
    ) -> None:
        """Make a pool of ``processes`` that import ``modules``, and with ``entry_points`` what packages announce.

        Each runs up to ``concurrency`` calls at a time, may take ``memory_bytes`` (resident), and sees of our
        environment only ``env``. A call that should end has ``grace_seconds`` before its process is killed; a process
        that gives no sign of life has ``stall_seconds``. ``on_ends`` hears of every end, also during `interrupt`,
        `submit` and `aclose`, but of those that succeeded without a result only if there is no ``on_succeeded``, which
        hears of their keys alone; none of them nor ``on_progress`` may raise. ``spares`` processes wait to replace
        another, and up to ``quarantines`` are kept for suspects while there are some. Processes carry ``mark``, a dot
        and a number as their mark (see `hold_state`); ``reaper_pid`` shortens the search for what they started.
        """
        self._on_ends = on_ends
        self._on_progress = on_progress
        self._on_succeeded = on_succeeded or self._tell_succeeded
        self._roster = ProcessRoster(
            RosterSettings(
                process=ProcessSettings(
                    modules=modules,
                    entry_points=entry_points,
                    env=env or {},
                    memory_bytes=memory_bytes,
                    seats=_CALLS_BEYOND * concurrency + 256,
                    concurrency=concurrency,
                    log_level=log_level,
                    run_as=run_as,
                    mark=mark,
                ),
                limits=WatchLimits(
                    stall_seconds=stall_seconds,
                    grace_seconds=grace_seconds,
                    start_seconds=_START_SECONDS,
                    memory_bytes=memory_bytes,
                ),
                processes=processes,
                spares=spares,
                quarantines=quarantines,
                recycle_after_calls=recycle_after_calls,
                reaper_pid=reaper_pid,
            ),
            on_message=self._take_message,
            on_death=self._take_death,
            on_change=self._change,
        )
        self._flying: dict[int, FlyingCall] = {}
        self._waiting: deque[FlyingCall] = deque()
        self._suspects: deque[FlyingCall] = deque()
        self._deaths = 0
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._flying)

    @property
    def catalog(self) -> list[HandlerEntry]:
        """What handlers there are, as the newest process says."""
        return self._roster.catalog

    @property
    def is_available(self) -> bool:
        """Whether it makes sense to submit calls: a process takes them, or is likely to in a moment."""
        return self._roster.failures < _PATIENCE_FAILURES or bool(self._roster.serving())

    async def start(self) -> list[HandlerEntry]:
        """Start the first process and return the catalog. Raises HandlersUnavailableError, which says why."""
        await self._roster.start_first()
        return self.catalog

    async def run(self) -> None:
        """Keep the processes running until canceled, which kills them. To be called once, after `start`."""
        await self._roster.run()

    async def wait_started(self) -> None:
        """Return once `run` has made all processes ready, spares too, or one could not be."""
        await self._roster.wait_started()

    async def aclose(self) -> None:
        """Hand back every call that is left, and leave no process behind. To be called once `run` has ended."""
        self._is_closed = True
        with anyio.CancelScope(shield=True):
            await self._roster.aclose()
        self._waiting.clear()
        self._suspects.clear()
        self._end_all(list(self._flying.values()), CallInterruption.HANDED_BACK)

    def submit(self, calls: Sequence[Call]) -> None:
        """Take calls; each will have exactly one end. Never waits. Raises ValueError if a key is in use."""
        flying_calls = {call.key: FlyingCall(call) for call in calls}
        if len(flying_calls) < len(calls) or not self._flying.keys().isdisjoint(flying_calls):
            keys = sorted(flying_calls.keys() & self._flying.keys()) or [call.key for call in calls]
            raise ValueError(f"there is a call with the key {keys[0]} already")
        self._flying.update(flying_calls)
        self._waiting.extend(flying_calls.values())
        self._change()

    def interrupt(self, keys: Iterable[int], why: CallInterruption) -> None:
        """End those of the given calls that have not ended; of lost ones, no end is told. The first reason stands."""
        now = time.monotonic()
        running: dict[HandlerProcess, list[int]] = {}
        waiting: list[FlyingCall] = []
        for key in keys:
            flying = self._flying.get(key)
            if flying is None:
                continue
            if flying.interrupted is None:
                flying.interrupted, flying.interrupted_at = why, now
                if flying.process is None:
                    waiting.append(flying)
                else:
                    running.setdefault(flying.process, []).append(key)
            elif why is CallInterruption.LOST:
                flying.interrupted = why
        if waiting:
            self._waiting = deque(flying for flying in self._waiting if flying.interrupted is None)
            self._suspects = deque(flying for flying in self._suspects if flying.interrupted is None)
            self._end_all(waiting, why)
        for process, running_keys in running.items():
            process.interrupt(running_keys, why)

    def interrupt_all(self, why: CallInterruption) -> None:
        """End everything."""
        self.interrupt(list(self._flying), why)

    def _change(self) -> None:
        """Give calls to whoever can take them."""
        if self._is_closed or not self.is_available:
            kept = [*self._waiting, *self._suspects]
            self._waiting.clear()
            self._suspects.clear()
            self._end_all(kept, CallInterruption.HANDED_BACK)
            return
        if self._waiting:
            serving = sorted(self._roster.serving(), key=lambda process: len(process.calls))
            for place, process in enumerate(serving):
                share = -(-len(self._waiting) // (len(serving) - place))
                number = min(share, process.room)
                if number:
                    process.give([self._waiting.popleft() for _ in range(number)])
        if not self._suspects:
            self._roster.close_quarantine()
        while self._suspects and (quarantine := self._roster.find_quarantine()) is not None:
            quarantine.give([self._suspects.popleft()])

    def _take_message(self, process: HandlerProcess, message: FromChild) -> None:
        match message:
            case EndedCalls(succeeded=succeeded, ends=ends):
                self._roster.failures = 0
                wanted = self._let_go(process, succeeded)
                if wanted:
                    self._on_succeeded(wanted)
                if ends:
                    heard = set(self._let_go(process, [end.key for end in ends]))
                    told = [end for end in ends if end.key in heard]
                    if told:
                        self._on_ends(told)
                self._change()
            case Progress(notes=notes):
                known = [note for note in notes if note.key in process.calls]
                if known:
                    self._on_progress(known)
            case _:
                pass

    def _let_go(self, process: HandlerProcess, keys: Sequence[int]) -> list[int]:
        """Forget calls of a process that have ended; returns the keys of those whose end anybody wants to hear of."""
        forget, wanted = self._flying.__delitem__, []
        for flying in process.take_back(keys):
            key = flying.call.key
            forget(key)
            if flying.interrupted is not CallInterruption.LOST:
                wanted.append(key)
        return wanted

    def _tell_succeeded(self, keys: Sequence[int]) -> None:
        self._on_ends([CallEnd(key, CallOutcome.SUCCEEDED) for key in keys])

    def _take_death(self, process: HandlerProcess, cause: Condemnation) -> None:
        policies = {entry.job_type: entry.retry for entry in self.catalog}
        self._deaths += 1
        fallout = sort_out(process, cause, policies, death=self._deaths)
        process.calls.clear()
        for flying in (*fallout.suspects, *fallout.innocents):
            flying.process = None
        suspects = [*self._suspects, *fallout.suspects]
        if fallout.solved:
            cleared, suspects = clear_suspects(suspects, fallout.solved)
            # Who began first begins first again: else it would be taken for the culprit next time.
            fallout.innocents.extend(reversed(cleared))
        # Who is suspected of no death in particular may run for hours, and comes last.
        self._suspects = deque(sorted(suspects, key=lambda flying: flying.death == 0))
        self._waiting.extendleft(reversed(fallout.innocents))
        self._end(fallout.ended)
        self._change()

    def _end_all(self, flying_calls: Iterable[FlyingCall], why: CallInterruption) -> None:
        self._end(
            (flying, end_interrupted(flying.call, flying.interrupted or why, RetryPolicy())) for flying in flying_calls
        )

    def _end(self, ended: Iterable[tuple[FlyingCall, CallEnd]]) -> None:
        told = []
        for flying, end in ended:
            del self._flying[flying.call.key]
            if flying.interrupted is not CallInterruption.LOST:
                told.append(end)
        if told:
            self._on_ends(told)
