"""The executor's side of one handler process: its pipes, the calls in its hands, its end."""

import fcntl
import os
import select
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import anyio
import msgspec
from msgspec import Struct

from services.executor.find_processes import MARK_VARIABLE
from services.executor.handler_flight import FlyingCall
from services.executor.handler_frames import (
    FRAME_BYTES,
    CallInterruption,
    ChildSettings,
    FrameBuffer,
    FrameError,
    FromChild,
    GivenCalls,
    InterruptedCalls,
    ToChild,
    cut_by_weight,
    encode_frame,
)
from services.executor.handler_log import LineLog, drain_log, pump_log
from services.executor.handler_marks import BeginMarks
from services.executor.resolve_run_as import RunAs
from services.executor.spawn_process import spawn_process
from shared.loop import Bell

_IMPORT_ROOT: Final = Path(__file__).resolve().parents[2]
# A thread's arenas reserve far more address space than they use, which counts against the limit.
_ENV: Final = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MALLOC_ARENA_MAX": "2"}
_READ_BYTES: Final = 1024 * 1024
_PIPE_BYTES: Final = 1024 * 1024
_CALL_BYTES: Final = 256
# A pipe is looked at again long before, whenever it has something.
_WRITE_PATIENCE_SECONDS: Final = 3600.0

_CLOSING_SECONDS: Final = 1.0
_STUCK_SECONDS: Final = 10.0

_decoder = msgspec.msgpack.Decoder(FromChild)

OnMessage = Callable[["HandlerProcess", FromChild], None]


class ProcessSettings(Struct, frozen=True, kw_only=True):
    """How handler processes are started."""

    modules: Sequence[str]
    entry_points: bool
    env: Mapping[str, str]
    memory_bytes: int
    seats: int
    concurrency: int
    log_level: str
    run_as: RunAs | None
    mark: str | None


class Condemnation(Struct, frozen=True):
    """Why we kill a process, and the calls that are to blame if that is known; with what they end as."""

    how: str
    reason: str = "crashed"
    culprits: Mapping[int, CallInterruption] = {}


class HandlerProcess:
    """One handler process. `run` sees it through to its end; `end` is for one that was never run."""

    def __init__(self, settings: ProcessSettings, number: int) -> None:
        """Start it. Raises CommandStartError; OSError when descriptors or memory have run out."""
        self.mark = None if settings.mark is None else f"{settings.mark}.{number}"
        self._marks, marks_fd = BeginMarks.create(settings.seats)
        child = ChildSettings(
            modules=list(settings.modules),
            entry_points=settings.entry_points,
            marks_fd=marks_fd,
            seats=settings.seats,
            concurrency=settings.concurrency,
            memory_bytes=settings.memory_bytes,
            log_level=settings.log_level,
        )
        try:
            self._process = spawn_process(
                [sys.executable, "-s", "-m", "services.executor.handler_child", msgspec.json.encode(child).decode()],
                cwd=_IMPORT_ROOT,
                env={**_ENV, **settings.env, **({} if self.mark is None else {MARK_VARIABLE: self.mark})},
                run_as=settings.run_as,
                with_stdin=True,
                pass_fds=(marks_fd,),
            )
        except BaseException:
            self._marks.close()
            raise
        finally:
            os.close(marks_fd)
        self.pid = self._process.pid
        self._read_fd, self._log_fd = self._process.outputs
        for fd in (self._read_fd, *([] if self._process.stdin is None else [self._process.stdin])):
            with suppress(OSError):  # beyond what our user may have
                fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._log = LineLog(self.pid)
        self._frames = FrameBuffer()
        self._rest: deque[memoryview] = deque()
        self._rest_bell = Bell()
        self._seats = list(range(settings.seats))
        self.calls: dict[int, FlyingCall] = {}
        self.given = 0
        self.started_at = time.monotonic()
        self.first_rss_bytes = self.rss_bytes = 0
        # When we asked for a sign of life that has not come yet.
        self.asked_at: float | None = None
        self.is_ready = False
        # It does not answer …
        self.is_silent = False
        # … or has a call that does not end when told to. Others get the new calls.
        self.has_late_calls = False
        # It gets no more calls, and ends when it has none left.
        self.is_leaving = False
        self.finished_at: float | None = None
        # It gets one call at a time, and only such as may have ended a process.
        self.is_solitary = False
        self.is_over = False
        self.condemned: Condemnation | None = None

    @property
    def is_usable(self) -> bool:
        """Whether it may be given calls."""
        return self.is_ready and not (self.is_over or self.is_ailing or self.is_leaving or self.condemned)

    @property
    def is_ailing(self) -> bool:
        """Whether it may have to be killed, or may recover."""
        return self.is_silent or self.has_late_calls

    @property
    def room(self) -> int:
        """How many more calls it can be given."""
        return len(self._seats)

    def begun_at(self, flying: FlyingCall) -> float:
        """Return when a call of this process began (monotonic clock): 0 if it has not; negative if it has ended."""
        return self._marks.seats[flying.seat]

    def give(self, flying_calls: Sequence[FlyingCall]) -> None:
        """Hand calls over; there must be room."""
        seats, marks, calls = self._seats, self._marks.seats, self.calls
        for flying in flying_calls:
            flying.seat = seat = seats.pop()
            marks[seat] = 0.0
            flying.process = self
            calls[flying.call.key] = flying
        self.given += len(flying_calls)
        weights = [_CALL_BYTES + len(flying.call.payload) + len(flying.call.metadata) for flying in flying_calls]
        for piece in cut_by_weight(flying_calls, weights, FRAME_BYTES):
            self.send(GivenCalls([flying.seat for flying in piece], [flying.call for flying in piece]))

    def take_back(self, keys: Iterable[int]) -> list[FlyingCall]:
        """Let go of calls that have ended; returns those that there were, in the same order."""
        calls, seats = self.calls, self._seats
        taken = []
        for key in keys:
            flying = calls.pop(key, None)
            if flying is not None:
                seats.append(flying.seat)
                flying.process = None
                taken.append(flying)
        return taken

    def interrupt(self, keys: Sequence[int], why: CallInterruption) -> None:
        """Have calls ended."""
        self.send(InterruptedCalls(list(keys), why))

    def finish(self) -> None:
        """Let it end by itself; it must have no calls left."""
        self.is_leaving = True
        self.finished_at = time.monotonic()
        self._process.close_stdin()

    def condemn(self, condemnation: Condemnation) -> None:
        """Kill it, for good reason. The first reason stands."""
        if self.condemned is None:
            self.condemned = condemnation
            self._process.signal_group(signal.SIGKILL)

    def send(self, message: ToChild) -> None:
        """Write a message, now or as soon as the pipe has room. What a dead process does not read is lost."""
        if self.is_over:
            return
        data = memoryview(encode_frame(message))
        if not self._rest:
            data = data[self._write(data) :]
        if data:
            self._rest.append(data)
            self._rest_bell.ring()

    def has_something_to_say(self) -> bool:
        """Whether there is something of it that we have not read."""
        poll = select.poll()
        poll.register(self._read_fd, select.POLLIN)
        return bool(poll.poll(0))

    async def run(self, on_message: OnMessage) -> int:
        """Hand on what it says until it has ended, and return its exit code, negative for a signal.

        Cancellation kills it. In either case its last words have been handed on, and nothing of it is left.
        """
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(pump_log, self._log_fd, self._log)
                group.start_soon(self._write_rest)
                group.start_soon(self._read_all, on_message)
                await self._process.wait_exit()
                group.cancel_scope.cancel()
        finally:
            code = await self.end(on_message)
        return code

    async def start(self, on_message: OnMessage) -> None:
        """Hand on what it says until it is ready, or has ended. Cancel this to wait no longer."""
        async with anyio.create_task_group() as group:
            group.start_soon(pump_log, self._log_fd, self._log)
            while not self.is_ready:
                if not await self._read(on_message):
                    # Let it end by itself, so that its exit status says why.
                    with anyio.move_on_after(_CLOSING_SECONDS):
                        await self._process.wait_exit()
                    break
            group.cancel_scope.cancel()

    async def end(self, on_message: OnMessage) -> int:
        """Kill it if it lives, hand on its last words, free everything; return its exit code. Not interrupted."""
        self.is_over = True
        with anyio.CancelScope(shield=True):
            self._process.signal_group(signal.SIGKILL)
            with anyio.move_on_after(_STUCK_SECONDS):
                await self._process.wait_exit()
            with suppress(FrameError, msgspec.DecodeError, BlockingIOError):
                while data := os.read(self._read_fd, _READ_BYTES):
                    self._take(data, on_message)
            drain_log(self._log_fd, self._log)
        return await self._process.release()

    def close_marks(self) -> None:
        """Free the marks: nobody will ask any more which calls had begun."""
        self._marks.close()

    async def _read_all(self, on_message: OnMessage) -> None:
        try:
            while await self._read(on_message):
                pass
        except (FrameError, msgspec.DecodeError) as error:
            self.condemn(Condemnation(f"said what makes no sense ({error}), and was killed"))
        else:
            # At its end a process closes its pipes a moment before it can be seen to have ended.
            await anyio.sleep(_CLOSING_SECONDS)
            if not self.is_leaving:
                self.condemn(Condemnation("closed its pipe, and was killed"))

    async def _read(self, on_message: OnMessage) -> bool:
        await anyio.wait_readable(self._read_fd)
        try:
            data = os.read(self._read_fd, _READ_BYTES)
        except BlockingIOError:
            return True
        self._take(data, on_message)
        return bool(data)

    def _take(self, data: bytes, on_message: OnMessage) -> None:
        self.asked_at = None
        for payload in self._frames.feed(data):
            on_message(self, _decoder.decode(payload))

    async def _write_rest(self) -> None:
        while True:
            self._rest_bell.hush()
            while self._rest:
                if self._process.stdin is None:
                    return
                await anyio.wait_writable(self._process.stdin)
                written = self._write(self._rest[0])
                if written < len(self._rest[0]):
                    self._rest[0] = self._rest[0][written:]
                else:
                    self._rest.popleft()
            await self._rest_bell.wait(_WRITE_PATIENCE_SECONDS)

    def _write(self, data: memoryview) -> int:
        if self._process.stdin is None:
            return len(data)
        try:
            return os.write(self._process.stdin, data)
        except BlockingIOError:
            return 0
        except BrokenPipeError:
            return len(data)
