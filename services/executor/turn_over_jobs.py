"""The loops that turn jobs of handlers over: record those that succeeded and claim the next, in one statement.

Two of them run beside each other: while one statement waits for its commit, the other's jobs are worked on. What ends
while a statement is under way shares the next one. Ends other than success go to the `Finisher`.
"""

import logging
import math
import time
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Final, Protocol

import anyio
import msgspec

from services.executor.beat_executor import Membership
from services.executor.claim_jobs import LOOK_SECONDS, SECOND_LOOK_SECONDS
from services.executor.finish_and_claim import Found, Lane, Wanted, claim_of, finish_and_claim
from services.executor.finish_jobs import AttemptEnd, Finisher
from services.executor.handler_frames import Call, CallEnd
from services.executor.hear_lanes import LaneRings
from services.executor.hold_calls import CallHoldings, HeldCall
from services.executor.keep_books import Books
from services.executor.make_calls import make_calls
from services.executor.mark_lanes import LaneMarks
from services.executor.read_end import read_end
from shared.db import KeptConnection, Pool
from shared.errors import DatabaseUnavailableError, DataRefusedError
from shared.loop import Bell, jittered, run_loop
from shared.queries.models import AttemptOutcome
from shared.stop import Stop

logger = logging.getLogger(__name__)

LOOPS: Final = 2
# Of 200 jobs each takes the server a fifth less than of 100, and of 400 everybody another tenth; beyond that it gains
# little, and makes others wait.
_MOST_CLAIMED: Final = 400
_MOST_ENDED: Final = 400
# Beside a statement that is under way, another one is worth its round trip from here on.
_ENOUGH: Final = 50


class CallProcesses(Protocol):
    """What calls the handlers: `HandlerPool`."""

    @property
    def is_available(self) -> bool:
        """Whether it makes sense to submit calls."""

    def submit(self, calls: Sequence[Call]) -> None:
        """Take calls; each will have one end."""


class _Look(msgspec.Struct, frozen=True):
    """What a statement is to claim: nothing, jobs of one lane, or of whichever has waited longest, behind marks."""

    number: int = 0
    slots: int = 0
    lane: Lane | None = None
    marks: dict[int, int] = {}


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
        # The one that was used last is taken first.
        self._connections = [KeptConnection(pool) for _ in range(LOOPS)]
        self._membership = membership
        self._wanted = Wanted.of(queues=queues, job_types=job_types, labels=labels)
        self._holdings = holdings
        self._books = books
        self._finisher = finisher
        self._processes = processes
        self._marks = LaneMarks()
        self._rings = LaneRings()
        self._succeeded: deque[HeldCall] = deque()
        # Statements, and the slots that they will have taken more than they will have freed.
        self._under_way = 0
        self._slots_under_way = 0
        self._answered = anyio.Event()
        # Whether the newest claim found less than it could have taken: then one at a time is enough.
        self._scarce = True
        # One for each loop.
        self._bells = [Bell() for _ in range(LOOPS)]

    async def run(self, stop: Stop) -> None:
        """Turn over until asked to stop."""
        try:
            async with anyio.create_task_group() as loops:
                for bell in self._bells:
                    loops.start_soon(partial(run_loop, "turn over", self.turn_over, bell=bell, stop=stop))
        finally:
            for connection in self._connections:
                await connection.give_back()

    def ring(self, about: str = "", /) -> None:
        """Look now: something is ready, in the lane of that id if one is said."""
        self._rings.hear(about)
        # What is ready may be little. The other loop is woken if it is not.
        self._bells[0].ring()

    def _wake(self) -> None:
        for bell in self._bells:
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
        self._wake()

    def take_successes(self, keys: Sequence[int]) -> None:
        """Take note of calls that succeeded without a result."""
        self._succeeded.extend(self._holdings.find_all(keys))
        self._wake()

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
        look = self._begin_look(slots, is_finishing=bool(ended))
        connection = self._connections.pop()
        self._under_way += 1
        self._slots_under_way += slots - len(ended)
        try:
            found = await self._ask(connection, ended, look)
        finally:
            self._connections.append(connection)
            self._under_way -= 1
            self._slots_under_way -= slots - len(ended)
            self._answered.set()
            self._answered = anyio.Event()
        return self._end_look(look, found)

    async def wait_answered(self) -> None:
        """Return once no statement is under way, so that whatever it claimed is held."""
        while self._under_way:
            await self._answered.wait()

    def _may_claim(self) -> bool:
        return self._membership.registered and not self._membership.draining and self._processes.is_available

    def _free_slots(self) -> int:
        """Return how many slots will be free when what is under way has been answered."""
        return self._holdings.free_slots - self._slots_under_way

    def _begin_look(self, slots: int, *, is_finishing: bool) -> _Look:
        if not slots:
            return _Look()
        number, lane = self._rings.begin_look()
        marks = self._marks.choose()
        return _Look(number, slots, None if is_finishing or marks else lane, marks)

    async def _ask(self, connection: KeptConnection, ended: list[HeldCall], look: _Look) -> Found | None:
        """Do the statement; None if that was in vain."""
        executor_id = self._membership.executor_id
        if look.lane is None:
            statement = partial(
                finish_and_claim,
                ended=ended,
                executor_id=executor_id,
                marks=look.marks,
                wanted=self._wanted,
                slots=look.slots,
            )
        else:
            statement = partial(claim_of, lane=look.lane, executor_id=executor_id, slots=look.slots)
        async with self._books.claiming():
            began = time.monotonic()
            try:
                found = await connection.query(statement)
            except DatabaseUnavailableError:
                # It may have taken effect, or may still do so. The ends are settled one way or the other.
                self._settle_all(ended)
                if look.slots:
                    self._marks.took(time.monotonic() - began, from_front=not look.marks)
                    self._membership.doubt_books()
                raise
            except DataRefusedError:
                # Nothing has been done. The end that is at fault is found when each is written by itself.
                self._settle_all(ended)
                return None
            if look.slots:
                self._marks.took(time.monotonic() - began, from_front=not look.marks)
            if found.done == len(ended):
                self._holdings.remove(ended)
            else:
                self._settle_all(ended)
            if not self._membership.registered or self._membership.executor_id != executor_id:
                # We were declared lost meanwhile: what was claimed is rescued, and must not run here beside that.
                return None
            self._holdings.add(found.claimed)
        if found.claimed and found.lane is not None:
            self._rings.learn(found.lane)
            if found.last_order is not None:
                is_all = len(found.claimed) < look.slots and not found.is_held
                self._marks.claimed(found.lane.lane_id, found.last_order, is_all=is_all)
            self._processes.submit(make_calls(found.claimed, found.lane))
        return found

    def _end_look(self, look: _Look, found: Found | None) -> float:
        """Return the seconds until the next one."""
        if found is None:
            return jittered(SECOND_LOOK_SECONDS)
        front_due_in = math.inf
        if look.slots:
            claimed = len(found.claimed)
            is_full = claimed == look.slots
            if self._scarce and is_full:
                self._wake()  # there is something for the other loop, too
            self._scarce = not is_full
            # In front of the marks there may be something, too.
            if look.marks:
                front_due_in = self._marks.front_due_in
            is_more = is_full or (claimed > 0 and found.others_ready) or not front_due_in
            self._rings.end_look(look.number, is_more=is_more, is_left=found.is_held or bool(look.marks))
        if self._succeeded:
            return 0
        if not self._may_claim() or self._free_slots() <= 0:
            return jittered(LOOK_SECONDS)
        if self._rings.is_pending or not look.slots:
            return 0
        if found.is_held:
            return jittered(SECOND_LOOK_SECONDS)
        return min(jittered(LOOK_SECONDS), front_due_in)

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
            self._wake()

        self._finisher.put(held.job_id, held.epoch, end, settled)
