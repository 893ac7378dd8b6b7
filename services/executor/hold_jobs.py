"""The jobs that this executor holds: what it has claimed and not yet finished."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Final

import anyio

from services.executor.queries.claim_jobs import ClaimJobsRow
from shared.ids import JobId
from shared.loop import Bell
from shared.queries.models import JobKind

PLAN_QUEUE: Final = "plan"


class Interruption(StrEnum):
    """Why a held job is ended from outside."""

    CANCELED = "canceled"  # somebody asked for it
    TIMED_OUT = "timed_out"  # it took longer than it may
    LOST = "lost"  # the books gave it to somebody else, or to nobody
    LEAVING = "leaving"  # this executor goes; the job is handed back


class HeldJob:
    """One claimed job, and the means to interrupt what runs it."""

    def __init__(self, job: ClaimJobsRow) -> None:
        self.job = job
        self.interruption: Interruption | None = None
        self._calls: list[Callable[[], object]] = []

    def interrupt(self, why: Interruption) -> None:
        """End it. The first reason stands, except that a lost job is lost."""
        if self.interruption is None or why is Interruption.LOST:
            self.interruption = why
            for call in list(self._calls):
                call()

    @contextmanager
    def when_interrupted(self, call: Callable[[], object]) -> Iterator[None]:
        """Have `call` called at an interruption within the block; at once if there was one before."""
        self._calls.append(call)
        try:
            if self.interruption is not None:
                call()
            yield
        finally:
            self._calls.remove(call)


class Holdings:
    """All jobs held, and the slots that are left.

    `books` is held during a claim, and during a comparison of the books with what is held: a job that has been
    claimed while its answer is on the way must not be taken for one whose answer was lost.
    """

    def __init__(self, *, queues: list[str], slots: int, plan_slots: int) -> None:
        self._held: dict[JobId, HeldJob] = {}
        self._queues = queues
        self._slots = slots
        self._plan_slots = plan_slots
        self.books = anyio.Lock()
        self.slot_freed = Bell()
        self._emptied = anyio.Event()
        self._emptied.set()

    def __len__(self) -> int:
        return len(self._held)

    def free_slots(self) -> dict[str, int]:
        """Return how many jobs of each queue may be claimed; plan jobs have slots of their own."""
        plans = sum(held.job.kind is JobKind.PLAN for held in self._held.values())
        free = {PLAN_QUEUE: self._plan_slots - plans}
        others = self._slots - (len(self._held) - plans)
        free |= dict.fromkeys(self._queues, others)
        return {queue: number for queue, number in free.items() if number > 0}

    def add(self, job: ClaimJobsRow) -> HeldJob:
        """Take hold of a job that has just been claimed."""
        held = HeldJob(job)
        self._held[job.job_id] = held
        if self._emptied.is_set():
            self._emptied = anyio.Event()
        return held

    def remove(self, held: HeldJob) -> None:
        """Let go of a job whose end is in the books, or that is not ours any more."""
        if self._held.get(held.job.job_id) is held:
            del self._held[held.job.job_id]
        self.slot_freed.ring()
        if not self._held:
            self._emptied.set()

    def epochs(self) -> dict[JobId, int]:
        """Return the claim epoch of every held job."""
        return {job_id: held.job.epoch for job_id, held in self._held.items()}

    def interrupt(self, job_ids: list[JobId], why: Interruption) -> None:
        """End those of the given jobs that are held."""
        for job_id in job_ids:
            if (held := self._held.get(job_id)) is not None and held.interruption is None:
                held.interrupt(why)

    def interrupt_all(self, why: Interruption) -> None:
        """End everything."""
        for held in list(self._held.values()):
            held.interrupt(why)

    async def wait_until_empty(self) -> None:
        """Return once nothing is held."""
        while self._held:
            await self._emptied.wait()
