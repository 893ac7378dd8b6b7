"""The commands that this executor holds: what it has claimed and not yet finished."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Final, Protocol

import anyio

from services.executor.keep_books import Books
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
    """All commands held, and the slots that are left."""

    def __init__(self, books: Books, *, slots: int, plan_slots: int) -> None:
        self._held: dict[JobId, HeldJob] = {}
        self._slots = slots
        self._plan_slots = plan_slots
        self.books = books
        self.slot_freed = Bell()
        self._emptied = anyio.Event()
        self._emptied.set()

    def __len__(self) -> int:
        return len(self._held)

    def free_slots(self) -> dict[JobKind, int]:
        """Return how many jobs of each kind may be claimed; plan jobs have slots of their own."""
        plans = sum(held.job.kind is JobKind.PLAN for held in self._held.values())
        free = {JobKind.PLAN: self._plan_slots - plans, JobKind.SHELL: self._slots - (len(self._held) - plans)}
        return {kind: number for kind, number in free.items() if number > 0}

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


class Holder(Protocol):
    """What holds claimed jobs: the commands, or the calls of handlers."""

    def __len__(self) -> int:
        """Return how many are held."""

    def epochs(self) -> dict[JobId, int]:
        """Return the claim epoch of every held job."""

    def interrupt(self, job_ids: list[JobId], why: Interruption) -> None:
        """End those of the given jobs that are held."""

    def interrupt_all(self, why: Interruption) -> None:
        """End everything."""

    async def wait_until_empty(self) -> None:
        """Return once nothing is held."""


class Custody:
    """All that the books give to this executor, whatever runs it."""

    def __init__(self, books: Books, holders: Sequence[Holder]) -> None:
        self.books = books
        self._holders = holders

    def __len__(self) -> int:
        return sum(map(len, self._holders))

    def epochs(self) -> dict[JobId, int]:
        """Return the claim epoch of every held job."""
        return {job_id: epoch for holder in self._holders for job_id, epoch in holder.epochs().items()}

    def interrupt(self, job_ids: list[JobId], why: Interruption) -> None:
        """End those of the given jobs that are held."""
        for holder in self._holders:
            holder.interrupt(job_ids, why)

    def interrupt_all(self, why: Interruption) -> None:
        """End everything."""
        for holder in self._holders:
            holder.interrupt_all(why)

    async def wait_until_empty(self) -> None:
        """Return once nothing is held."""
        for holder in self._holders:
            await holder.wait_until_empty()
