"""The loops that turn jobs of handlers over: record those that succeeded and claim the next, in one statement.

Two of them run beside each other: while one statement waits for its commit, the other's jobs are worked on. What ends
while a statement is under way shares the next one. Ends other than success go to the `Finisher`.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import anyio
import msgspec

from services.executor.beat_executor import Membership
from services.executor.claim_jobs import LOOK_SECONDS, SECOND_LOOK_SECONDS
from services.executor.finish_jobs import AttemptEnd, Finisher
from services.executor.handler_frames import Call, CallEnd
from services.executor.hold_calls import CallHoldings, HeldCall, read_claimed
from services.executor.keep_books import Books
from services.executor.mark_lanes import LaneMarks
from services.executor.queries.turn_over_jobs import turn_over_jobs
from services.executor.read_end import read_end
from shared.db import Pool, query
from shared.errors import DatabaseUnavailableError, DataRefusedError
from shared.jobs.retry_policy import RetryPolicy
from shared.loop import Bell, jittered
from shared.queries.models import AttemptOutcome

logger = logging.getLogger(__name__)

LOOPS: Final = 2
# Of 200 jobs each takes the server a fifth less than of 100, and of 400 everybody another tenth; beyond that it gains
# little, and makes others wait.
_MOST_CLAIMED: Final = 400
_MOST_ENDED: Final = 400
# Beside a statement that is under way, another one is worth its round trip from here on.
_ENOUGH: Final = 50

_decode_retry: Final[Callable[[msgspec.Raw], RetryPolicy | None]] = msgspec.json.Decoder(RetryPolicy | None).decode


class CallProcesses(Protocol):
    """What calls the handlers: `HandlerPool`."""

    @property
    def is_available(self) -> bool:
        """Whether it makes sense to submit calls."""

    def submit(self, calls: Sequence[Call]) -> None:
        """Take calls; each will have one end."""


class JobTurnover:
    """Claims jobs of handlers, gives them to whoever calls the handlers, and writes down what became of them."""

    def __init__(
        self,
        pool: Pool,
        *,
        membership: Membership,
        queues: list[str],
        labels: list[str],
        job_types: list[str],
        holdings: CallHoldings,
        books: Books,
        finisher: Finisher,
        processes: CallProcesses,
    ) -> None:
        self._pool = pool
        self._membership = membership
        self._queues = queues
        self._labels = labels
        self._job_types = job_types
        self._holdings = holdings
        self._books = books
        self._finisher = finisher
        self._processes = processes
        self._marks = LaneMarks()
        self._succeeded: deque[HeldCall] = deque()
        # Statements, and the slots that they will have taken more than they will have freed.
        self._under_way = 0
        self._slots_under_way = 0
        self._answered = anyio.Event()
        self._looked_in_vain = 0
        self._contended = False
        # Whether the newest claim found less than it could have taken: then one at a time is enough.
        self._scarce = True
        # One for each loop.
        self.bells = [Bell() for _ in range(LOOPS)]

    def ring(self) -> None:
        """Look now: something is ready, has ended, or is to be handed back."""
        for bell in self.bells:
            bell.ring()

    def take_ends(self, ends: Sequence[CallEnd]) -> None:
        """Take note of how calls ended; those that are not held any more are nobody's business."""
        for end in ends:
            held = self._holdings.find(end.key)
            if held is None:
                continue
            if (unlike := read_end(end)) is not None:
                self._settle(held, unlike)
            else:
                held.result = end.result.decode()
                self._succeeded.append(held)
        self.ring()

    def take_successes(self, keys: Sequence[int]) -> None:
        """Take note of calls that succeeded without a result."""
        self._succeeded.extend(self._holdings.find_all(keys))
        self.ring()

    async def turn_over(self) -> float:
        """Record and claim once; returns the seconds until the next look."""
        ended = [self._succeeded.popleft() for _ in range(min(len(self._succeeded), _MOST_ENDED))]
        # What this very statement records frees its slots: else a full executor would finish and claim in turns.
        slots = max(0, min(self._free_slots() + len(ended), _MOST_CLAIMED)) if self._may_claim() else 0
        if not ended and not slots:
            return jittered(LOOK_SECONDS)
        if self._under_way and len(ended) + (0 if self._scarce else slots) < _ENOUGH:
            # The loop whose statement is under way looks again as soon as that has been answered.
            self._succeeded.extendleft(reversed(ended))
            return jittered(LOOK_SECONDS)
        marks = self._marks.choose()
        self._under_way += 1
        self._slots_under_way += slots - len(ended)
        try:
            claimed = await self._ask(ended, slots, marks)
        finally:
            self._under_way -= 1
            self._slots_under_way -= slots - len(ended)
            self._answered.set()
            self._answered = anyio.Event()
        return self._next_look(claimed, slots, is_marked=bool(marks))

    async def wait_answered(self) -> None:
        """Return once no statement is under way, so that whatever it claimed is held."""
        while self._under_way:
            await self._answered.wait()

    def _may_claim(self) -> bool:
        return self._membership.registered and not self._membership.draining and self._processes.is_available

    def _free_slots(self) -> int:
        """Return how many slots will be free when what is under way has been answered."""
        return self._holdings.free_slots - self._slots_under_way

    async def _ask(self, ended: list[HeldCall], slots: int, marks: dict[int, int]) -> int:
        """Do the statement; returns how many jobs it claimed."""
        executor_id = self._membership.executor_id
        told = [held for held in ended if held.result]
        async with self._books.claiming():
            began = time.monotonic()
            try:
                rows = await query(
                    self._pool,
                    lambda connection: turn_over_jobs(
                        connection,
                        done_rows_at=_array_text([f'"{held.row_at}"' for held in ended]),
                        done_job_ids=_array_text([held.id_text for held in ended]),
                        done_epochs=_array_text([str(held.epoch) for held in ended]),
                        result_job_ids=_array_text([held.id_text for held in told]),
                        results=f"[{','.join([held.result for held in told])}]",
                        executor_id=executor_id,
                        mark_lane_ids=list(marks),
                        marks=list(marks.values()),
                        queues=self._queues,
                        job_types=self._job_types,
                        labels=self._labels,
                        slots=slots,
                    ),
                )
            except DatabaseUnavailableError:
                # It may have taken effect, or may still do so. The ends are settled one way or the other.
                self._settle_all(ended)
                if slots:
                    self._membership.doubt_books()
                raise
            except DataRefusedError:
                # Nothing has been done. The end that is at fault is found when each is written by itself.
                self._settle_all(ended)
                return 0
            if slots:
                self._marks.took(time.monotonic() - began, from_front=not marks)
            first = rows[0]
            if first.done == len(ended):
                self._holdings.remove(ended)
            else:
                self._settle_all(ended)
            claimed: list[HeldCall] = []
            if self._membership.registered and self._membership.executor_id == executor_id:
                claimed = [held for row in rows if row.jobs is not None for held in read_claimed(row.jobs)]
                self._holdings.add(claimed)
            # Else we were declared lost meanwhile: what was claimed is rescued, and must not run here beside that.
        self._contended = not claimed and first.lane_id is not None
        if claimed:
            self._marks.claimed(first.lane_id or 0, first.last_order or 0)
            self._processes.submit(_make_calls(claimed, first.job_type or "", first.queue or ""))
        return len(claimed)

    def _next_look(self, claimed: int, slots: int, *, is_marked: bool) -> float:
        if slots:
            if self._scarce and claimed == slots:
                self.ring()  # there is something for the other loop, too
            self._scarce = claimed < slots
        if claimed < slots:
            # That lane is empty behind its mark; there may be something in front of it, or in another lane.
            self._marks.forget()
        has_room = self._may_claim() and self._free_slots() > 0
        if claimed or self._succeeded or (slots and is_marked) or (has_room and not slots):
            self._looked_in_vain = 0
            return 0 if self._succeeded or has_room else jittered(LOOK_SECONDS)
        self._looked_in_vain += 1
        # What is ready there is locked by somebody, who may take less; and behind that lane there may be others.
        soon = slots and (self._contended or self._looked_in_vain == 1)
        return jittered(SECOND_LOOK_SECONDS if soon else LOOK_SECONDS)

    def _settle_all(self, ended: Sequence[HeldCall]) -> None:
        for held in ended:
            result = msgspec.Raw(held.result.encode()) if held.result else None
            self._settle(held, AttemptEnd(AttemptOutcome.SUCCEEDED, result=result))

    def _settle(self, held: HeldCall, end: AttemptEnd) -> None:
        """Have an end written down by itself, and let go of the job when it is."""

        def settled(state: object) -> None:
            if state is None:
                logger.warning("a job was not ours any more; its end is not written", extra={"job_id": held.job_id})
            self._holdings.remove([held])
            self.ring()

        self._finisher.put(held.job_id, held.epoch, end, settled)


def _array_text(elements: list[str]) -> str:
    """Return PostgreSQL's text of an array whose elements need no escapes."""
    return f"{{{','.join(elements)}}}"


def _make_calls(claimed: list[HeldCall], job_type: str, queue: str) -> list[Call]:
    """Return the call of each claimed job, all of one type and queue."""
    calls = []
    for held in claimed:
        attempt = held.attempts_used + 1
        payload, metadata, retry = bytes(held.payload), bytes(held.metadata), None
        if payload:
            retry = _read_retry(held)
            held.forget_details()
        calls.append(
            # By place, which is quicker than by name.
            Call(
                held.key,
                job_type,
                payload,
                held.id_text,
                held.epoch,
                attempt,
                held.max_attempts,
                held.timeout_seconds,
                queue,
                retry,
                metadata,
                held.traceparent or "",
            )
        )
    return calls


def _read_retry(held: HeldCall) -> RetryPolicy | None:
    try:
        return _decode_retry(held.retry)
    except msgspec.ValidationError as error:
        # Of a newer version, perhaps. The handler's own will do; the job is not to blame.
        logger.warning("the retry policy of a job is not understood: %s", error, extra={"job_id": held.job_id})
        return None
