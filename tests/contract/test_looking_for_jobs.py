"""When an executor looks for jobs of handlers, and where: nothing ready waits, and little is looked for in vain."""

import math
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import anyio
import pytest

from services.executor import mark_lanes, turn_over_jobs
from services.executor.beat_executor import Membership
from services.executor.claim_jobs import LOOK_SECONDS, SECOND_LOOK_SECONDS
from services.executor.finish_and_claim import Found
from services.executor.finish_jobs import Finisher
from services.executor.handler_frames import Call, CallEnd, CallOutcome
from services.executor.hold_calls import CallHoldings
from services.executor.keep_books import Books
from services.executor.mark_lanes import LaneMarks
from services.executor.turn_over_jobs import JobTurnover
from shared.stop import Stop
from tests.engine import Engine
from tests.turnover import add_jobs, turn_over

# Of what an executor may send.
ANYWHERE, ONE_LANE = "finish_and_claim", "claim_of"


class Looks:
    """An executor whose handlers end when a test says so, and the statements that it has sent."""

    is_available = True

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.has_calls = anyio.Event()
        self.sent: list[str] = []
        # What is to happen between the server's answer and its arrival.
        self.before_arrival: Callable[[], Awaitable[None]] | None = None

    async def open(self, engine: Engine, monkeypatch: pytest.MonkeyPatch, slots: int = 10) -> JobTurnover:
        """Return what is tested, with these as its handler processes."""
        for name in (ANYWHERE, ONE_LANE):
            monkeypatch.setattr(turn_over_jobs, name, partial(self._send, name, getattr(turn_over_jobs, name)))
        # However long statements take here: no scan from the front is too long.
        monkeypatch.setattr(mark_lanes, "_CHANCE_SECONDS", math.inf)
        types = ["a", "b"]
        membership = Membership(
            name="test", queues=["default"], labels=[], slots=0, plan_slots=0, handler_slots=slots, job_types=types
        )
        await membership.register(engine.executor)
        return JobTurnover(
            engine.executor,
            membership=membership,
            queues=["default"],
            labels=[],
            job_types=types,
            holdings=CallHoldings(slots=slots, interrupt_calls=lambda _keys, _why: None),
            books=Books(),
            finisher=Finisher(engine.executor, membership),
            processes=self,
        )

    def submit(self, calls: Sequence[Call]) -> None:
        """As a handler pool would."""
        self.calls.extend(calls)
        self.has_calls.set()

    def end_all(self, turnover: JobTurnover) -> None:
        """Let every call succeed."""
        turnover.take_ends([CallEnd(call.key, CallOutcome.SUCCEEDED) for call in self.calls])
        self.calls.clear()

    async def _send(self, name: str, send: Callable[..., Awaitable[Found]], *args: object, **kwargs: object) -> Found:
        self.sent.append(name)
        found = await send(*args, **kwargs)
        if self.before_arrival is not None:
            await self.before_arrival()
        return found


def about(engine: Engine, job_type: str = "a") -> str:
    """What is said in the notification of a plain job."""
    ((lane_id,),) = engine.sql("select id from lane where job_type = %s", job_type)
    return str(lane_id)


def is_about(seconds: float, expected: float) -> bool:
    """Whether a pause is as long as expected, give or take a fifth."""
    return 0.8 * expected <= seconds <= 1.2 * expected


@pytest.fixture
def looks() -> Looks:
    return Looks()


async def test_one_job_costs_two_statements_and_the_first_looks_only_where_it_is(
    engine: Engine, looks: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    turnover = await looks.open(engine, monkeypatch)
    add_jobs(engine, {})
    for first in (ANYWHERE, ONE_LANE, ONE_LANE):  # until it knows the lane, it has to look anywhere
        assert is_about(await turnover.turn_over(), LOOK_SECONDS)
        assert len(looks.calls) == 1
        looks.end_all(turnover)
        assert is_about(await turnover.turn_over(), LOOK_SECONDS)
        assert looks.sent == [first, ANYWHERE]
        looks.sent.clear()
        add_jobs(engine, {})
        turnover.ring(about(engine))


async def test_what_is_ready_in_other_lanes_is_looked_for_at_once(
    engine: Engine, looks: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    turnover = await looks.open(engine, monkeypatch)
    add_jobs(engine, {}, {"type": "b"}, {"type": "b"})
    assert await turnover.turn_over() == 0
    assert is_about(await turnover.turn_over(), LOOK_SECONDS)
    assert len(looks.calls) == 3
    assert looks.sent == [ANYWHERE] * 2


async def test_as_long_as_there_is_more_than_room_nobodys_ring_comes_first(
    engine: Engine, looks: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    turnover = await looks.open(engine, monkeypatch, slots=1)
    add_jobs(engine, {"type": "b"})
    await turnover.turn_over()
    older = add_jobs(engine, {})
    add_jobs(engine, {"type": "b"})
    turnover.ring(about(engine, "b"))
    looks.end_all(turnover)
    await turnover.turn_over()
    assert [call.job_id for call in looks.calls] == older
    assert looks.sent == [ANYWHERE] * 2


@pytest.mark.parametrize("where", [ANYWHERE, ONE_LANE])
async def test_a_ring_while_a_statement_is_under_way_is_heard_after_it(
    engine: Engine, looks: Looks, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    turnover = await looks.open(engine, monkeypatch)
    add_jobs(engine, {})
    await turnover.turn_over()
    if where == ONE_LANE:
        add_jobs(engine, {})
        turnover.ring(about(engine))

    async def enqueue() -> None:
        looks.before_arrival = None
        add_jobs(engine, {})
        turnover.ring(about(engine))
        # The other loop hears it, and leaves it to the one whose statement is under way.
        assert is_about(await turnover.turn_over(), LOOK_SECONDS)

    looks.before_arrival = enqueue
    looks.calls.clear()
    assert await turnover.turn_over() == 0
    assert is_about(await turnover.turn_over(), LOOK_SECONDS)
    assert len(looks.calls) == (2 if where == ONE_LANE else 1)
    assert looks.sent == [ANYWHERE, where, ONE_LANE]


async def test_what_a_look_that_was_overtaken_has_missed_is_looked_for_at_once(
    engine: Engine, looks: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    turnover = await looks.open(engine, monkeypatch, slots=200)
    add_jobs(engine, {"type": "b"})
    add_jobs(engine, *({} for _ in range(50)))
    await turnover.turn_over()
    await turnover.turn_over()
    ends = [CallEnd(call.key, CallOutcome.SUCCEEDED) for call in looks.calls if call.job_type == "a"]
    assert (len(ends), len(looks.calls)) == (50, 51)

    async def overtake() -> None:
        looks.before_arrival = None
        add_jobs(engine, *({} for _ in range(100)))
        turnover.ring()
        turnover.take_ends(ends)
        # It hears the ring, has room for half of what is there, and waits until it has more.
        assert is_about(await turnover.turn_over(), LOOK_SECONDS)
        assert len(looks.calls) == 101

    looks.before_arrival = overtake
    # Its answer, from before the ring, says that there is nothing.
    assert await turnover.turn_over() == 0
    add_jobs(engine, {"type": "b"})
    turnover.ring(about(engine, "b"))
    assert await turnover.turn_over() == 0
    assert len(looks.calls) == 151
    assert looks.sent == [ANYWHERE] * 5


async def test_what_is_ready_in_front_of_a_mark_is_found_as_soon_as_the_front_is_due(
    engine: Engine, looks: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    turnover = await looks.open(engine, monkeypatch)
    now = [100.0]
    marks = turnover._marks = LaneMarks(clock=lambda: now[0])
    add_jobs(engine, {})
    await turnover.turn_over()
    monkeypatch.setattr(mark_lanes, "_CHANCE_SECONDS", 0.0)
    marks.took(0.001, from_front=False)
    marks.took(0.101, from_front=True)  # as beside an old snapshot
    add_jobs(engine, {"priority": 100})
    turnover.ring(about(engine))
    assert await turnover.turn_over() == pytest.approx(1.0)
    assert len(looks.calls) == 1
    now[0] += 1.0
    await turnover.turn_over()
    assert len(looks.calls) == 2
    assert looks.sent == [ANYWHERE] * 3


async def test_what_somebody_else_holds_is_looked_for_again_soon(
    engine: Engine, looks: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    turnover = await looks.open(engine, monkeypatch)
    add_jobs(engine, {})
    await turnover.turn_over()
    add_jobs(engine, {})
    turnover.ring(about(engine))
    looks.calls.clear()
    other = await engine.add_executor()
    async with engine.executor.connection() as connection, connection.transaction(force_rollback=True):
        assert len((await turn_over(engine, other, connection=connection)).claimed) == 1
        for _ in range(3):
            assert is_about(await turnover.turn_over(), SECOND_LOOK_SECONDS)
    assert is_about(await turnover.turn_over(), LOOK_SECONDS)
    assert len(looks.calls) == 1
    assert looks.sent == [ANYWHERE, ONE_LANE, *[ANYWHERE] * 3]


async def test_running_it_ends_with_all_connections_back(
    engine: Engine, looks: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    turnover = await looks.open(engine, monkeypatch)
    add_jobs(engine, {})
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(turnover.run, Stop())
        with anyio.fail_after(30):
            await looks.has_calls.wait()
        tasks.cancel_scope.cancel()
    # Not by the pool's own numbers, which count those that it is still opening.
    assert [kept._connection for kept in turnover._connections] == [None] * turn_over_jobs.LOOPS
