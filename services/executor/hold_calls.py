"""The calls of handlers that this executor holds: jobs that it has claimed and whose end is not in the books yet."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final
from uuid import UUID

import anyio
import msgspec
from msgspec import Struct

from services.executor.handler_frames import CallInterruption
from services.executor.hold_jobs import Interruption
from shared.ids import JobId

_INTERRUPTIONS: Final = {
    Interruption.CANCELED: CallInterruption.CANCELED,
    Interruption.TIMED_OUT: CallInterruption.TIMED_OUT,
    Interruption.LEAVING: CallInterruption.HANDED_BACK,
    Interruption.LOST: CallInterruption.LOST,
}

_NOTHING: Final = msgspec.Raw()

# Ends calls that run; the keys are those under which they were given to the handler processes.
InterruptCalls = Callable[[Sequence[int], CallInterruption], None]


class HeldCall(Struct, array_like=True, gc=False, eq=False):
    """One claimed job of a handler: an element of what TurnOverJobs says it has claimed, and what we add to it."""

    # Where its row is, as ctid: it is finished there, unless it has moved.
    row_at: str
    id_text: str
    epoch: int
    attempts_used: int
    max_attempts: int
    timeout_seconds: int
    payload: msgspec.Raw = _NOTHING
    metadata: msgspec.Raw = _NOTHING
    retry: msgspec.Raw = _NOTHING
    traceparent: str | None = None
    # Under which it is held, from 1.
    key: int = 0
    # Raw JSON, once it has succeeded with a result; empty is none.
    result: str = ""

    @property
    def job_id(self) -> JobId:
        """The job. Made when somebody asks: most jobs come and go by the text alone."""
        return JobId(UUID(self.id_text))

    def forget_details(self) -> None:
        """Let go of what only the handler needs, which holds on to the whole text that it came in."""
        self.payload = self.metadata = self.retry = _NOTHING


read_claimed: Final = msgspec.json.Decoder(list[HeldCall]).decode


class CallHoldings:
    """All calls held, and the slots that are left."""

    def __init__(self, *, slots: int, interrupt_calls: InterruptCalls) -> None:
        self._slots = slots
        self._interrupt_calls = interrupt_calls
        self._held: dict[int, HeldCall] = {}
        self._last_key = 0
        self._emptied = anyio.Event()
        self._emptied.set()

    def __len__(self) -> int:
        return len(self._held)

    @property
    def free_slots(self) -> int:
        """How many more may be claimed."""
        return self._slots - len(self._held)

    def add(self, held_calls: Sequence[HeldCall]) -> None:
        """Take hold of jobs that have just been claimed, and give each its key."""
        key = self._last_key
        for held in held_calls:
            key += 1
            held.key = key
            self._held[key] = held
        self._last_key = key
        if self._held and self._emptied.is_set():
            self._emptied = anyio.Event()

    def find(self, key: int) -> HeldCall | None:
        """Return the call of a key; None if it is not held any more."""
        return self._held.get(key)

    def find_all(self, keys: Iterable[int]) -> list[HeldCall]:
        """Return the calls of those keys that are still held."""
        find = self._held.get
        return [held for key in keys if (held := find(key)) is not None]

    def remove(self, held_calls: Iterable[HeldCall]) -> None:
        """Let go of jobs whose ends are in the books, or that are not ours any more."""
        forget = self._held.pop
        for held in held_calls:
            forget(held.key, None)
        if not self._held:
            self._emptied.set()

    def epochs(self) -> dict[JobId, int]:
        """Return the claim epoch of every held job."""
        return {held.job_id: held.epoch for held in self._held.values()}

    def interrupt(self, job_ids: list[JobId], why: Interruption) -> None:
        """End those of the given jobs that are held."""
        wanted = {str(job_id) for job_id in job_ids}
        keys = [held.key for held in self._held.values() if held.id_text in wanted] if wanted else []
        if keys:
            self._interrupt_calls(keys, _INTERRUPTIONS[why])

    def interrupt_all(self, why: Interruption) -> None:
        """End everything. Lost jobs are let go at once: nobody wants to hear of their ends."""
        self._interrupt_calls(list(self._held), _INTERRUPTIONS[why])
        if why is Interruption.LOST:
            self._held.clear()
            self._emptied.set()

    async def wait_until_empty(self) -> None:
        """Return once nothing is held."""
        while self._held:
            await self._emptied.wait()
