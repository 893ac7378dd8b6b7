"""An executor without a free slot: it takes no more than it has room for, and records and claims in one statement."""

from collections.abc import Sequence

import anyio

from services.executor.beat_executor import Membership
from services.executor.finish_jobs import Finisher
from services.executor.handler_frames import Call, CallEnd, CallOutcome
from services.executor.hold_calls import CallHoldings
from services.executor.keep_books import Books
from services.executor.turn_over_jobs import JobTurnover
from tests.engine import Engine

SLOTS = 60


class Processes:
    """Handler processes that only remember what they were given."""

    is_available = True

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def submit(self, calls: Sequence[Call]) -> None:
        self.calls.extend(calls)


async def open_turnover(engine: Engine) -> tuple[JobTurnover, CallHoldings, Processes]:
    engine.sql(
        "select count(*) from enqueue_jobs((select jsonb_agg(jsonb_build_object('type', 'noop'))"
        " from generate_series(1, %s)))",
        4 * SLOTS,
    )
    membership = Membership(
        name="test", queues=["default"], labels=[], slots=0, plan_slots=0, handler_slots=SLOTS, job_types=["noop"]
    )
    await membership.register(engine.executor)
    processes = Processes()
    holdings = CallHoldings(slots=SLOTS, interrupt_calls=lambda _keys, _why: None)
    turnover = JobTurnover(
        engine.executor,
        membership=membership,
        queues=["default"],
        labels=[],
        job_types=["noop"],
        holdings=holdings,
        books=Books(),
        finisher=Finisher(engine.executor, membership),
        processes=processes,
    )
    return turnover, holdings, processes


async def test_two_loops_together_take_no_more_than_there_is_room_for(engine: Engine) -> None:
    turnover, holdings, _ = await open_turnover(engine)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(turnover.turn_over)
        tasks.start_soon(turnover.turn_over)
    assert len(holdings) == SLOTS


async def test_what_is_recorded_makes_room_in_the_same_statement(engine: Engine) -> None:
    turnover, holdings, processes = await open_turnover(engine)
    await turnover.turn_over()
    turnover.take_ends([CallEnd(call.key, CallOutcome.SUCCEEDED) for call in processes.calls])
    await turnover.turn_over()
    assert engine.sql("select count(*) from job where state = 'succeeded'") == [(SLOTS,)]
    assert (len(holdings), len(processes.calls)) == (SLOTS, 2 * SLOTS)
