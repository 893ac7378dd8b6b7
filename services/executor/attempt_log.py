"""The log of one attempt on its way to the database: what is not stored yet."""

import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Final, Literal

import anyio
import msgspec

from services.executor.cut_chunks import Chunk, ChunkCutter
from services.executor.keep_tail import ChunkTail
from shared.ids import JobId

# Half of it is on its way while the other half fills.
_BUFFER_BYTES: Final = 512 * 1024


class StepRecord(msgspec.Struct, frozen=True):
    """A step that has begun, and how it ended if it has."""

    position: int
    name: str
    # Number of the first line that can be its own: see `AttemptLog.next_line`.
    first_line: int
    started_at: datetime
    ended_at: datetime | None = None
    exit_code: int | None = None


class AttemptLog:
    """Gathers an attempt's output and steps; `append_logs` stores them.

    Whoever writes waits while the buffer is full, so that a slow database slows the command and not our memory.
    """

    def __init__(
        self, job_id: JobId, epoch: int, day: date, *, cap_bytes: int, mark_dirty: Callable[["AttemptLog"], None]
    ) -> None:
        self.job_id = job_id
        self.epoch = epoch
        self.day = day
        # Set when the books refuse our chunks: the attempt is not ours any more.
        self.fenced = False
        # Set once nothing more will come: the job's end waits for what is left.
        self.is_closing = False
        self._cutter = ChunkCutter(cap_bytes=cap_bytes)
        self._chunks: list[Chunk] = []
        self._tail = ChunkTail()
        self._steps: dict[int, StepRecord] = {}
        self._unstored_bytes = 0
        self._under_way = 0
        self._mark_dirty = mark_dirty
        self._progress = anyio.Event()
        self._on_fenced: Callable[[], None] | None = None

    def when_fenced(self, tell: Callable[[], None]) -> None:
        """Have `tell` called when the books refuse the log."""
        self._on_fenced = tell

    @property
    def waiting_bytes(self) -> int:
        """Bytes of memory that are gathered and not taken yet."""
        return self._cutter.pending_bytes + sum(chunk.weight for chunk in self._chunks)

    @property
    def next_line(self) -> int:
        """Number of the line that begins next."""
        return self._cutter.next_line

    @property
    def has_more(self) -> bool:
        """Whether something is gathered and not taken yet."""
        return bool(self._chunks or self._steps or self._cutter.pending_bytes)

    async def write(self, stream: Literal["stdout", "stderr"], step: int, data: bytes, at: float) -> None:
        """Add output of a step; waits while too much of it is not stored."""
        self._cutter.feed(stream, step, data, at)
        self._mark_dirty(self)
        while self._cutter.pending_bytes + self._unstored_bytes > _BUFFER_BYTES and not self.fenced:
            await self._wait_progress()

    def note(self, text: str, *, step: int | None = None) -> None:
        """Add a line of our own."""
        self._cutter.note(text, time.time(), step=step)
        self._mark_dirty(self)

    def record_step(self, step: StepRecord) -> None:
        """Add a step that has begun or ended."""
        self._steps[step.position] = step
        if step.ended_at is not None:
            self._cutter.end_step(step.ended_at.timestamp())
        self._mark_dirty(self)

    async def close(self) -> None:
        """Return when everything is stored, or refused."""
        self.is_closing = True
        self._cutter.finish(time.time())
        while (self.has_more or self._under_way) and not self.fenced:
            self._mark_dirty(self)
            await self._wait_progress()

    def take(self, most_bytes: int) -> "Batch":
        """Hand over what is gathered, about `most_bytes` of it and at least one chunk, for storing."""
        self._gather()
        chunks: list[Chunk] = []
        size = 0
        while self._chunks and size < most_bytes:
            chunk = self._chunks.pop(0)
            size += chunk.weight
            chunks.append(chunk)
        steps, self._steps = list(self._steps.values()), {}
        self._under_way += 1
        return Batch(self, chunks, steps)

    def last_output(self, step: int | None = None) -> list[Chunk]:
        """Return the last chunks of a step's output, of the newest one's if none is named: see `ChunkTail`."""
        self._gather()
        return self._tail.of_step(step)

    def stored(self, batch: "Batch") -> None:
        """Take note that a batch is stored, or refused."""
        self._unstored_bytes -= batch.size
        self._under_way -= 1
        self._tell_progress()

    def fence(self) -> None:
        """Take note that the attempt is not ours any more: nothing of it will be stored."""
        self.fenced = True
        self._tell_progress()
        if self._on_fenced is not None:
            self._on_fenced()

    def _gather(self) -> None:
        for chunk in self._cutter.take():
            self._unstored_bytes += chunk.weight
            self._chunks.append(chunk)
            self._tail.add(chunk)

    async def _wait_progress(self) -> None:
        await self._progress.wait()

    def _tell_progress(self) -> None:
        self._progress.set()
        self._progress = anyio.Event()


class Batch(msgspec.Struct, frozen=True, eq=False):
    """What is stored of one attempt in one statement."""

    log: AttemptLog
    chunks: list[Chunk]
    steps: list[StepRecord]

    @property
    def size(self) -> int:
        """Bytes of memory."""
        return sum(chunk.weight for chunk in self.chunks)


def now() -> datetime:
    """Return the time for steps, with its zone."""
    return datetime.now(UTC)
