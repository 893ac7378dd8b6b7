"""The calls of handlers that this executor holds: jobs that it has claimed and whose end is not in the books yet."""

from collections.abc import Callable, Sequence
from typing import Final

import anyio
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

# Ends calls that run; the keys are those under which they were given to the handler processes.
InterruptCalls = Callable[[Sequence[int], CallInterruption], None]


class HeldCall(Struct, gc=False, eq=False):
    """One claimed job of a handler."""

    key: int
    job_id: JobId
    epoch: int
    # Where its row is, as ctid: it is finished there, unless it has moved.
    row_at: str
    # Raw JSON, once it has succeeded with a result; empty is none.
    result: str = ""


class CallHoldings:
    """All calls held, and the slots that are left."""

    def __init__(self, *, slots: int, interrupt_calls: InterruptCalls) -> None:
        self._slots = slots
        self._interrupt_calls = interrupt_calls
        self._held: dict[int, HeldCall] = {}
        self._keys: dict[JobId, int] = {}
        self._last_key = 0
        self._emptied = anyio.Event()
        self._emptied.set()

    def __len__(self) -> int:
        return len(self._held)

    @property
    def free_slots(self) -> int:
        """How many more may be claimed."""
        return self._slots - len(self._held)

    def add(self, job_id: JobId, epoch: int, row_at: str) -> HeldCall:
        """Take hold of a job that has just been claimed."""
        self._last_key += 1
        held = HeldCall(self._last_key, job_id, epoch, row_at)
        self._held[held.key] = held
        self._keys[job_id] = held.key
        if self._emptied.is_set():
            self._emptied = anyio.Event()
        return held

    def find(self, key: int) -> HeldCall | None:
        """Return the call of a key; None if it is not held any more."""
        return self._held.get(key)

    def remove(self, held: HeldCall) -> None:
        """Let go of a job whose end is in the books, or that is not ours any more."""
        if self._held.pop(held.key, None) is not None and self._keys.get(held.job_id) == held.key:
            del self._keys[held.job_id]
        if not self._held:
            self._emptied.set()

    def epochs(self) -> dict[JobId, int]:
        """Return the claim epoch of every held job."""
        return {held.job_id: held.epoch for held in self._held.values()}

    def interrupt(self, job_ids: list[JobId], why: Interruption) -> None:
        """End those of the given jobs that are held."""
        keys = [key for job_id in job_ids if (key := self._keys.get(job_id)) is not None]
        if keys:
            self._interrupt_calls(keys, _INTERRUPTIONS[why])

    def interrupt_all(self, why: Interruption) -> None:
        """End everything. Lost jobs are let go at once: nobody wants to hear of their ends."""
        self._interrupt_calls(list(self._held), _INTERRUPTIONS[why])
        if why is Interruption.LOST:
            self._held.clear()
            self._keys.clear()
            self._emptied.set()

    async def wait_until_empty(self) -> None:
        """Return once nothing is held."""
        while self._held:
            await self._emptied.wait()
