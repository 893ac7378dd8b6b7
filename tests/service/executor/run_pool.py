"""A handler pool for tests: every end is on record, a second end of a call is a failure, and ends can be awaited."""

import itertools
import os
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import anyio
import msgspec

from services.executor.handler_frames import Call, CallEnd, CallOutcome, ProgressNote
from services.executor.handler_pool import HandlerPool
from services.executor.handler_process import HandlerProcess

PATIENCE_SECONDS = 120
MEMORY_BYTES = 400 * 1024 * 1024
_POOL_NUMBERS = itertools.count()


class RunningPool:
    """A pool, the ends of its calls, and the progress that they reported."""

    def __init__(self, **settings: Any) -> None:
        defaults: dict[str, Any] = {
            "processes": 1,
            "spares": 0,
            "modules": ["tests.service.executor.handler_deeds"],
            "entry_points": False,
            "memory_bytes": MEMORY_BYTES,
            "grace_seconds": 60.0,
            "stall_seconds": 60.0,
            # Its own for each pool: whoever carries a mark is killed with it, also a neighbor of another test process.
            "mark": f"test-of-handlers-{os.getpid()}-{next(_POOL_NUMBERS)}",
        }
        self.pool = HandlerPool(on_ends=self._take_ends, on_progress=self._take_notes, **(defaults | settings))
        self.ends: dict[int, CallEnd] = {}
        self.notes: dict[int, ProgressNote] = {}
        self._key = 0
        self._changed = anyio.Event()

    def submit(self, job_type: str, payload: object = None, **details: Any) -> int:
        """Submit one call and return its key."""
        (key,) = self.submit_all([(job_type, payload)], **details)
        return key

    def submit_all(self, what: Iterable[tuple[str, object]], **details: Any) -> list[int]:
        """Submit calls together and return their keys."""
        calls = []
        for job_type, payload in what:
            self._key += 1
            defaults: dict[str, Any] = {
                "id_text": str(UUID(int=self._key)),
                "epoch": 1,
                "attempt": 1,
                "max_attempts": 3,
                "timeout_seconds": 60.0,
            }
            encoded = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
            calls.append(Call(key=self._key, job_type=job_type, payload=encoded, **(defaults | details)))
        self.pool.submit(calls)
        return [call.key for call in calls]

    async def end_of(self, key: int) -> CallEnd:
        """Wait for the end of one call."""
        (end,) = await self.ends_of([key])
        return end

    async def ends_of(self, keys: Sequence[int]) -> list[CallEnd]:
        """Wait for the ends of calls."""
        with anyio.fail_after(PATIENCE_SECONDS):
            while not all(key in self.ends for key in keys):
                await self._changed.wait()
        return [self.ends[key] for key in keys]

    async def begun(self, keys: Sequence[int]) -> None:
        """Wait until each of the calls has reported progress."""
        with anyio.fail_after(PATIENCE_SECONDS):
            while not all(key in self.notes for key in keys):
                await self._changed.wait()

    async def result_of(self, job_type: str, payload: object = None, **details: Any) -> Any:
        """Submit a call, see it succeed, and return its result."""
        end = await self.end_of(self.submit(job_type, payload, **details))
        assert end.outcome is CallOutcome.SUCCEEDED, end
        return msgspec.json.decode(end.result) if end.result else None

    def processes(self) -> list[HandlerProcess]:
        """The processes that there are now."""
        return list(self.pool._roster._processes)

    def serving(self) -> HandlerProcess:
        """The process that gets the next call, where only one serves."""
        return self.pool._roster.serving()[0]

    async def changed(self) -> None:
        """Wait for the next end or progress."""
        with anyio.fail_after(PATIENCE_SECONDS):
            await self._changed.wait()

    def _take_ends(self, ends: Sequence[CallEnd]) -> None:
        for end in ends:
            assert end.key not in self.ends, f"a second end: {self.ends[end.key]}, {end}"
            self.ends[end.key] = end
        self._change()

    def _take_notes(self, notes: Sequence[ProgressNote]) -> None:
        for note in notes:
            assert note.key not in self.ends, f"progress after the end: {note}"
            self.notes[note.key] = note
        self._change()

    def _change(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


@asynccontextmanager
async def running_pool(**settings: Any) -> AsyncIterator[RunningPool]:
    """Start a pool and run it; in the end, every call must have ended, and only once."""
    running = RunningPool(**settings)
    try:
        with anyio.fail_after(PATIENCE_SECONDS):
            await running.pool.start()
        async with anyio.create_task_group() as group:
            group.start_soon(running.pool.run)
            yield running
            group.cancel_scope.cancel()
    finally:
        await running.pool.aclose()
    assert len(running.pool) == 0
