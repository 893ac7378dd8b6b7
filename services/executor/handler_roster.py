"""Keep the right number of handler processes: start them ahead, replace those that lag, die or have grown."""

import logging
from collections.abc import Callable
from typing import Final

import anyio
from msgspec import Struct

from services.executor.end_processes import end_marked
from services.executor.handler_fallout import describe_exit
from services.executor.handler_frames import FromChild, NotStarted, Started
from services.executor.handler_process import Condemnation, HandlerProcess, ProcessSettings
from services.executor.handler_watch import WatchLimits, has_grown, read_rss_bytes, watch_process
from services.executor.spawn_process import CommandStartError
from shared.jobs.describe_handlers import HandlerEntry
from shared.jobs.load_handlers import HandlersUnavailableError
from shared.loop import Bell, backoff_seconds

logger = logging.getLogger(__name__)

_BUSY_SECONDS: Final = 0.25
_IDLE_SECONDS: Final = 1.0
_READY_FAILURES: Final = 3
_CHECK_SECONDS: Final = 3600.0


class RosterSettings(Struct, frozen=True, kw_only=True):
    """How many processes there are, and what they may do."""

    process: ProcessSettings
    limits: WatchLimits
    # So many get calls …
    processes: int
    # … and so many more wait to take the place of one that lags or dies, and serve as quarantine.
    spares: int
    # Processes that may be kept at a time for calls that must run alone.
    quarantines: int
    # A process that was given so many calls is replaced; None: never for that.
    recycle_after_calls: int | None
    reaper_pid: int | None


class ProcessRoster:
    """All handler processes of a pool, oldest first."""

    def __init__(
        self,
        settings: RosterSettings,
        *,
        on_message: Callable[[HandlerProcess, FromChild], None],
        on_death: Callable[[HandlerProcess, Condemnation], None],
        on_change: Callable[[], None],
    ) -> None:
        """``on_death`` gets a process that has ended, and why; ``on_change`` is told that others may be usable now."""
        self._settings = settings
        self._on_message = on_message
        self._on_death = on_death
        self._on_change = on_change
        self._processes: list[HandlerProcess] = []
        self._numbers = 0
        self._bell = Bell()
        self._has_started = anyio.Event()
        # In a row: processes that could not be started, or ended before they were of any use.
        self.failures = 0
        self.problem = ""
        self.catalog: list[HandlerEntry] = []
        self.batch_types: frozenset[str] = frozenset()
        # Whether a process is wanted as quarantine.
        self.wants_quarantine = False

    def serving(self) -> list[HandlerProcess]:
        """Return the processes that get calls now."""
        return self._usable()[: self._settings.processes]

    def find_quarantine(self) -> HandlerProcess | None:
        """Return a process in which nothing runs, kept for calls that must run alone; None while there is none."""
        # One that has just died counts until its death has been told: that may clear the next suspect.
        solitary = [process for process in self._processes if process.is_solitary]
        empty = [process for process in solitary if process.is_usable and not process.calls]
        if empty or len(solitary) >= self._settings.quarantines:
            return empty[0] if empty else None
        spares = [process for process in self._usable()[self._settings.processes :] if not process.calls]
        self.wants_quarantine = not spares
        self._bell.ring()
        if not spares:
            return None
        spares[0].is_solitary = True
        return spares[0]

    def close_quarantine(self) -> None:
        """Let the quarantine become a process like any other, once nothing runs there."""
        self.wants_quarantine = False
        for process in self._processes:
            if not process.calls:
                process.is_solitary = False

    async def start_first(self) -> None:
        """Start one process, and return once it is ready. Raises HandlersUnavailableError."""
        process = self._launch()
        if process is None:
            raise HandlersUnavailableError(self.problem)
        try:
            with anyio.move_on_after(self._settings.limits.start_seconds):
                await process.start(self._take_message)
        finally:
            if not process.is_ready:
                code = await process.end(self._take_message)
                self._remove(process)
        if not process.is_ready:
            raise HandlersUnavailableError(
                self.problem or f"the handler process {describe_exit(code).how} before it was ready"
            )

    async def run(self) -> None:
        """Keep the processes until canceled, which kills them all."""
        async with anyio.create_task_group() as group:
            for process in self._processes:
                group.start_soon(self._tend, process)
            group.start_soon(self._watch)
            while True:
                self._bell.hush()
                while self._is_short():
                    if self.failures:
                        await anyio.sleep(backoff_seconds(self.failures))
                    launched = self._launch()
                    if launched is not None:
                        group.start_soon(self._tend, launched)
                self._note_start()
                await self._bell.wait(_CHECK_SECONDS)

    async def wait_started(self) -> None:
        """Return once all processes that `run` starts at first are ready, or one has failed, which `run` sees to."""
        await self._has_started.wait()

    async def aclose(self) -> None:
        """End what was started and never run."""
        for process in list(self._processes):
            await process.end(self._on_message)
            self._remove(process)

    def _usable(self) -> list[HandlerProcess]:
        return [process for process in self._processes if process.is_usable and not process.is_solitary]

    def _is_short(self) -> bool:
        fit = [p for p in self._alive() if not (p.is_leaving or p.is_ailing or p.is_solitary)]
        return len(fit) < self._wanted() and self._may_grow()

    def _wanted(self) -> int:
        return self._settings.processes + max(self._settings.spares, int(self.wants_quarantine))

    def _alive(self) -> list[HandlerProcess]:
        return [process for process in self._processes if not (process.is_over or process.condemned)]

    def _may_grow(self) -> bool:
        """A flood of calls that block, or that make their processes leave, must not become a flood of processes."""
        return len(self._alive()) <= self._wanted() + self._settings.processes + self._settings.quarantines

    def _launch(self) -> HandlerProcess | None:
        self._numbers += 1
        try:
            process = HandlerProcess(self._settings.process, self._numbers)
        except (CommandStartError, OSError) as error:
            self._fail(f"a handler process cannot be started: {error}")
            return None
        self._processes.append(process)
        return process

    def _take_message(self, process: HandlerProcess, message: FromChild) -> None:
        match message:
            case Started(catalog=catalog):
                process.is_ready = True
                process.first_rss_bytes = read_rss_bytes(process.pid)
                self.catalog = catalog
                self.batch_types = frozenset(entry.job_type for entry in catalog if entry.takes_batches)
                if process.first_rss_bytes > self._settings.limits.memory_bytes:
                    self.problem = (
                        f"the handlers' imports alone take {process.first_rss_bytes // 2**20} MiB of memory, "
                        f"of {self._settings.limits.memory_bytes // 2**20} that a process may"
                    )
                    process.is_ready = False
                    process.condemn(Condemnation(self.problem))
                    return
                # To be ready is not yet to be of use: the pauses between starts stay, shorter ones.
                self.failures = min(self.failures, _READY_FAILURES)
                self._note_start()
                self._on_change()
            case NotStarted(problem=problem):
                self.problem = problem
            case _:
                self._on_message(process, message)

    async def _tend(self, process: HandlerProcess) -> None:
        """See one process through to its end."""
        try:
            code = await process.run(self._take_message)
            if process.mark is not None:
                await end_marked(process.mark, reaper_pid=self._settings.reaper_pid)
            cause = process.condemned or describe_exit(code)
            if process.is_leaving and not process.calls:
                logger.debug("a handler process has been retired", extra={"handler_pid": process.pid})
            elif process.is_ready and process.given:
                logger.warning("a handler process %s", cause.how, extra={"handler_pid": process.pid})
            else:
                self._fail(self.problem or f"a handler process {cause.how} before it was of any use")
        except BaseException:
            self._remove(process)
            raise
        self._processes.remove(process)
        self._on_death(process, cause)
        process.close_marks()
        self._bell.ring()

    def _fail(self, problem: str) -> None:
        self.failures += 1
        self.problem = problem
        logger.error("no handler process: %s", problem)
        self._note_start()
        self._on_change()

    def _note_start(self) -> None:
        if self.failures or not (self._is_short() or any(not process.is_ready for process in self._processes)):
            self._has_started.set()

    def _remove(self, process: HandlerProcess) -> None:
        self._processes.remove(process)
        process.close_marks()

    def _has_done_enough(self, process: HandlerProcess) -> bool:
        calls = self._settings.recycle_after_calls
        return has_grown(process, self._settings.limits) or (calls is not None and process.given >= calls)

    async def _watch(self) -> None:
        while True:
            busy = any(process.calls for process in self._processes)
            await anyio.sleep(_BUSY_SECONDS if busy else _IDLE_SECONDS)
            for process in self._processes:
                watch_process(process, self._settings.limits, self.batch_types)
                if self._has_done_enough(process) and self._may_grow():
                    process.is_leaving = True
            usable = self._usable()
            for process in usable[self._settings.processes + self._settings.spares :]:
                process.is_leaving = not process.calls
            for process in self._processes:
                if process.is_leaving and not process.calls and not process.is_over and process.finished_at is None:
                    process.finish()
            self._bell.ring()
            self._on_change()
