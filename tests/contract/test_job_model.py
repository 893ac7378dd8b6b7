"""Whatever happens to jobs, in whatever order: the books say what a simple model says.

Hypothesis makes up stories of producers, executors, schedulers and people; after each step everything in the database
is compared with the model. HOWDAH_MODEL_EXAMPLES=2000 tells other stories than the ones of every day, and more of them.
"""

import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar
from uuid import UUID

from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace

from services.executor.hold_calls import HeldCall
from services.executor.queries.beat_executor import beat_executor
from services.executor.queries.finish_jobs import finish_jobs
from services.executor.queries.reconcile_jobs import reconcile_jobs
from services.scheduler.queries.cancel_jobs import cancel_jobs
from services.scheduler.queries.discard_jobs import discard_jobs
from services.scheduler.queries.fold_job_counts import fold_job_counts
from services.scheduler.queries.pause_queue import pause_queue, resume_queue
from services.scheduler.queries.promote_jobs import promote_jobs
from services.scheduler.queries.redrive_jobs import redrive_jobs
from services.scheduler.queries.release_limited_jobs import list_limited_keys, lock_limit_keys, release_limited_jobs
from services.scheduler.queries.rescue_jobs import declare_lost, rescue_jobs, watch_executors
from shared.db import Connection, Pool, in_transaction, query
from shared.ids import CommandId, ExecutorId, JobId, new_id
from shared.queries.models import AttemptOutcome, ExecutorState, JobState
from tests.contract.test_state_machine import drawn
from tests.database import TestDatabase
from tests.engine import Engine, open_engine
from tests.job_books import JobBooks, as_in_the_books, open_books
from tests.job_model import FINAL, MAX_REDRIVES, UNSUCCESSFUL, JobModel, KeyTakenError, Limit, NewJob
from tests.job_strategies import COMMANDS, ENDS, HOUR, NEW_JOBS, QUEUES, TYPES, End
from tests.producer import refused
from tests.turnover import turn_over

# By default the same stories every time.
EXAMPLES = int(os.environ.get("HOWDAH_MODEL_EXAMPLES", "0"))
SETTINGS = settings(
    max_examples=EXAMPLES or 60,
    stateful_step_count=50,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)

T = TypeVar("T")
# A job, and the epoch of one of its claims.
Attempt = tuple[UUID, int]


class JobStories(RuleBasedStateMachine):
    """One story: what everybody does, to the database and to the model."""

    def __init__(self, portal: BlockingPortal, engine: Engine, books: JobBooks) -> None:
        super().__init__()
        self.portal = portal
        self.engine = engine
        self.books = books
        self.model = JobModel({"two": Limit(2), "rated": Limit(9, rate_count=2, rate_seconds=HOUR // 2)})
        self.executors: dict[ExecutorId, ExecutorState] = {}
        # What executors believe to hold, also when it is not theirs any more.
        self.held: dict[Attempt, tuple[ExecutorId, HeldCall]] = {}
        # Those whose row is not where it was when it was claimed.
        self.moved: set[Attempt] = set()
        self.states: dict[UUID, str] = {}
        books.set_limit("two", 2)
        books.set_limit("rated", 9, rate_count=2, rate_seconds=HOUR // 2)

    def teardown(self) -> None:
        self.books.forget()

    def ask(self, pool: Pool, statement: Callable[[Connection], Awaitable[T]]) -> T:
        """Run one generated query, in a transaction of its own."""
        return self.portal.call(partial(query, pool, statement))

    # --- producers

    @rule(asked=NEW_JOBS)
    def enqueue(self, asked: list[NewJob]) -> None:
        jobs = [
            {
                "type": new.job_type,
                "queue": new.queue,
                "payload": new.payload,
                "priority": new.priority,
                "delay_seconds": new.delay_seconds,
                "max_attempts": new.max_attempts,
                "concurrency_key": new.limit,
                **({"idempotency_key": new.key, "idempotency_seconds": new.key_seconds} if new.key else {}),
            }
            for new in asked
        ]
        try:
            led_to = self.model.enqueue(asked)
        except KeyTakenError:
            with refused("HD409", "another payload or queue"):
                self.books.producer.enqueue_all(jobs)
            return
        rows = self.books.producer.enqueue_all(jobs)
        assert [row[0] for row in rows] == list(range(len(jobs)))
        for (place, job_id, is_created), known in zip(rows, led_to, strict=True):
            assert is_created == (known is None), place
            if known is not None:
                assert job_id == (rows[known][1] if isinstance(known, int) else known)
        self.model.add(asked, {place: job_id for place, job_id, is_created in rows if is_created})

    # --- executors

    @initialize()
    def register_first(self) -> None:
        self.register()

    @precondition(lambda self: len(self.executors) < 3)
    @rule()
    def register(self) -> None:
        executor_id = self.portal.call(self.engine.add_executor)
        self.executors[executor_id] = ExecutorState.ACTIVE

    @rule(
        data=st.data(),
        slots=st.sampled_from([4, 2, 1, 0]),
        queues=st.sets(st.sampled_from(QUEUES)),
        job_types=st.sets(st.sampled_from(TYPES)),
    )
    def turn_over(self, data: st.DataObject, slots: int, queues: set[str], job_types: set[str]) -> None:
        executor_id = data.draw(st.sampled_from(sorted(self.executors)))
        done = self._draw_held(data, executor_id)
        results = [data.draw(st.sampled_from([None, 1])) for _ in done]
        self._turn_over(executor_id, done=done, results=results, slots=slots, queues=queues, job_types=job_types)

    def _turn_over(
        self,
        executor_id: ExecutorId,
        *,
        done: Sequence[Attempt] = (),
        results: Sequence[object] = (),
        slots: int,
        queues: set[str],
        job_types: set[str],
    ) -> None:
        turned = self.portal.call(
            partial(
                turn_over,
                self.engine,
                executor_id,
                [self.held[key][1] for key in done],
                results=results,
                slots=slots,
                queues=sorted(queues),
                job_types=sorted(job_types),
            )
        )
        lanes = self.model.claimable(queues, job_types) if slots else {}
        ended = [key for key in done if key not in self.moved and self._runs(key)]
        self._let_go(key for key in done if key not in self.moved)
        assert turned.done == len(ended)
        self.model.end([job_id for job_id, _ in ended], AttemptOutcome.SUCCEEDED, -1)
        claimed: list[UUID] = [job.job_id for job in turned.claimed]
        if self.executors[executor_id] is not ExecutorState.ACTIVE or not lanes:
            assert claimed == []
            return
        # All of one lane: of one whose head comes first.
        orders = {lane: sorted(self.model.jobs[job_id].order for job_id in ids) for lane, ids in lanes.items()}
        lane = self.model.jobs[claimed[0]].lane
        assert orders[lane][0] == min(lane_orders[0] for lane_orders in orders.values())
        assert set(claimed) <= set(lanes[lane])
        assert self._orders(claimed) == orders[lane][:slots]
        for job in turned.claimed:
            self.model.claim(job.job_id, executor_id)
            assert job.epoch == self.model.jobs[job.job_id].epoch
            self.held[job.job_id, job.epoch] = (executor_id, job)

    @rule(data=st.data())
    def go_on(self, data: st.DataObject) -> None:
        """Claim whatever there is: what most turn-overs are like."""
        self.turn_over(data, 4, set(QUEUES), set(TYPES))

    @rule(data=st.data(), asked=NEW_JOBS)
    def enqueue_and_go_on(self, data: st.DataObject, asked: list[NewJob]) -> None:
        self.enqueue(asked)
        self.the_books_are_the_models()
        self.go_on(data)

    @rule(data=st.data(), how=ENDS)
    def go_on_and_finish(self, data: st.DataObject, how: End) -> None:
        self.go_on(data)
        self.the_books_are_the_models()
        if self.held:
            self.finish(data, how)

    @rule(max_jobs=st.sampled_from([100, 2]))
    def let_in(self, max_jobs: int) -> None:
        """Promote and release: what schedulers do all the time."""
        self.promote(max_jobs)
        self.the_books_are_the_models()
        self.release(max_jobs)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), how=ENDS)
    def finish(self, data: st.DataObject, how: End) -> None:
        executor_id = data.draw(st.sampled_from(sorted({owner for owner, _ in self.held.values()})))
        self._finish(executor_id, self._draw_held(data, executor_id, at_least=1), how)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), how=ENDS)
    def cancel_and_finish(self, data: st.DataObject, how: End) -> None:
        key = data.draw(st.sampled_from(sorted(self.held)))
        self._cancel([key[0]])
        self.the_books_are_the_models()
        self._finish(self.held[key][0], [key], how)

    def _finish(self, executor_id: ExecutorId, ending: list[Attempt], how: End) -> None:
        outcome, retry_in_seconds, reason = how
        rows = self.ask(
            self.engine.executor,
            partial(
                finish_jobs,
                executor_id=executor_id,
                job_ids=[JobId(job_id) for job_id, _ in ending],
                epochs=[epoch for _, epoch in ending],
                outcomes=[outcome] * len(ending),
                reasons=[reason] * len(ending),
                exit_codes=[-1] * len(ending),
                errors=[""] * len(ending),
                results=[None] * len(ending),
                retry_in_seconds=[retry_in_seconds] * len(ending),
                failing_lines=[-1] * len(ending),
                failing_texts=[""] * len(ending),
            ),
        )
        ended = [job_id for job_id, epoch in ending if self._runs((job_id, epoch))]
        self._let_go(ending)
        self.model.end(ended, outcome, retry_in_seconds, reason)
        assert {row.job_id: row.state for row in rows} == {job_id: self.model.jobs[job_id].state for job_id in ended}

    @rule(data=st.data())
    def lose_the_answer_to_a_claim(self, data: st.DataObject) -> None:
        """The books are compared with what an executor holds: jobs that it never heard of go back, free."""
        self._compare_books(data, data.draw(st.sampled_from(sorted(self.executors))))

    @rule(data=st.data(), is_canceling=st.booleans())
    def lose_answers_again_and_again(self, data: st.DataObject, is_canceling: bool) -> None:
        """An executor that hears of few of its claims: some are canceled before it is known, some are claimed anew."""
        executor_id = data.draw(st.sampled_from(sorted(self.executors)))
        for keeps_any in (False, True):
            self._turn_over(executor_id, slots=4, queues=set(QUEUES), job_types=set(TYPES))
            self.the_books_are_the_models()
            if is_canceling:
                self._cancel([job_id for job_id, _ in self._held_by(executor_id) if self._runs_at(job_id)][:1])
                self.the_books_are_the_models()
            self._compare_books(data, executor_id, keeps_any=keeps_any)
            self.the_books_are_the_models()

    def _compare_books(self, data: st.DataObject, executor_id: ExecutorId, *, keeps_any: bool = True) -> None:
        # Of each job one attempt, the oldest that it knows of: it may have been claimed again since.
        knows = dict(sorted(self._held_by(executor_id), reverse=True)) if keeps_any else {}
        keeps = data.draw(st.lists(st.sampled_from(sorted(knows.items())), unique=True)) if knows else []
        rows = self.ask(
            self.engine.executor,
            partial(
                reconcile_jobs,
                executor_id=executor_id,
                held_job_ids=[JobId(job_id) for job_id, _ in keeps],
                held_epochs=[epoch for _, epoch in keeps],
            ),
        )
        returned = [
            job_id
            for job_id, job in self.model.jobs.items()
            if job.state is JobState.RUNNING and job.executor_id == executor_id and (job_id, job.epoch) not in keeps
        ]
        assert sorted(row.job_id for row in rows) == sorted(returned)
        self.model.end(returned, AttemptOutcome.HANDED_BACK, -1)

    @precondition(lambda self: list(self.executors.values()).count(ExecutorState.ACTIVE) > 1)
    @rule(data=st.data())
    def drain(self, data: st.DataObject) -> None:
        executor_id = data.draw(st.sampled_from(sorted(self.executors)))
        self.ask(
            self.engine.executor,
            partial(beat_executor, executor_id=executor_id, state=ExecutorState.DRAINING),
        )
        self.executors[executor_id] = ExecutorState.DRAINING

    # --- schedulers

    @rule(data=st.data())
    def go_on_and_die(self, data: st.DataObject) -> None:
        """Claim, and be lost with it: jobs that kill their executors look like this."""
        for executor_id in list(self.executors):
            self.go_on(data)
            self.the_books_are_the_models()
            if len(self.model.in_state(JobState.RUNNING)) and executor_id in self.executors:
                self._lose(executor_id, 100)
                self.the_books_are_the_models()

    @rule(data=st.data(), max_jobs=st.integers(1, 3))
    def lose_an_executor(self, data: st.DataObject, max_jobs: int) -> None:
        self._lose(data.draw(st.sampled_from(sorted(self.executors))), max_jobs)

    def _lose(self, executor_id: ExecutorId, max_jobs: int) -> None:
        seen = self.ask(self.engine.scheduler, watch_executors)
        (beat_seq,) = [row.beat_seq for row in seen if row.executor_id == executor_id]
        lost = self.ask(self.engine.scheduler, partial(declare_lost, executor_ids=[executor_id], beat_seqs=[beat_seq]))
        assert [row.executor_id for row in lost] == [executor_id]
        rescued: dict[UUID, JobState] = {}
        while rows := self.ask(
            self.engine.scheduler, partial(rescue_jobs, max_jobs=max_jobs, ended_within_seconds=1e9)
        ):
            assert len(rows) <= max_jobs
            rescued |= {row.job_id: row.state for row in rows}
        had = [
            job_id
            for job_id, job in self.model.jobs.items()
            if job.state is JobState.RUNNING and job.executor_id == executor_id
        ]
        self.model.lose(executor_id)
        assert rescued == {job_id: self.model.jobs[job_id].state for job_id in had}
        del self.executors[executor_id]
        if not self.executors:
            self.register()

    @precondition(lambda self: self.model.in_state(JobState.SCHEDULED))
    @rule(max_jobs=st.sampled_from([9, 9, 2, 1]))
    def promote(self, max_jobs: int) -> None:
        due = self.model.due()
        done = self.ask(self.engine.scheduler, partial(promote_jobs, now=None, max_jobs=max_jobs))
        assert done.promoted == min(len(due), max_jobs)
        promoted = [job_id for job_id in due if self.books.state_of(job_id) != JobState.SCHEDULED]
        moments = sorted(self.model.jobs[job_id].due for job_id in due)
        assert sorted(self.model.jobs[job_id].due for job_id in promoted) == moments[: done.promoted]
        for job_id in promoted:
            self.model.promote(job_id)

    @precondition(lambda self: self.model.in_state(JobState.BLOCKED))
    @rule(max_jobs=st.sampled_from([9, 9, 2, 1]))
    def release(self, max_jobs: int) -> None:
        async def release_all(connection: Connection) -> dict[int, int]:
            keys = await list_limited_keys(connection, after_key=-1, max_keys=100)
            locked = await lock_limit_keys(
                connection, limit_key_ids=[key.limit_key_id for key in keys if key.is_waiting]
            )
            rows = await release_limited_jobs(connection, now=None, limit_key_ids=locked, max_jobs=max_jobs)
            return {row.limit_key_id: row.released for row in rows}

        released = self.portal.call(partial(in_transaction, self.engine.scheduler, release_all))
        names = self.books.limit_names()
        for name in self.model.limits:
            waiting = [
                job_id
                for job_id in self.model.in_state(JobState.BLOCKED)
                if self.model.jobs[job_id].asked.limit == name
            ]
            expected = min(len(waiting), self.model.room(name), max_jobs)
            assert sum(count for key, count in released.items() if names[key] == name) == expected
            chosen = [job_id for job_id in waiting if self.books.state_of(job_id) == JobState.READY]
            assert self._orders(chosen) == self._orders(waiting)[:expected]
            for job_id in chosen:
                self.model.release(job_id)

    @rule(max_changes=st.sampled_from([1, 3, 100]))
    def fold_counts(self, max_changes: int) -> None:
        done = self.ask(self.engine.scheduler, partial(fold_job_counts, from_row_at="(0,0)", max_changes=max_changes))
        assert done.folded <= max_changes

    @rule(hours=st.sampled_from([1, 1, 2]), max_jobs=st.sampled_from([1, 2, 100]))
    def wait_and_promote(self, hours: int, max_jobs: int) -> None:
        self.pass_time(hours)
        self.promote(max_jobs)

    @rule(hours=st.sampled_from([1, 1, 2]))
    def pass_time(self, hours: int) -> None:
        self.books.pass_time(hours)
        # That has moved all rows: to executors, they are where they were.
        for key, (owner, claimed) in self.held.items():
            if key not in self.moved and self._runs(key):
                self.held[key] = (owner, replace(claimed, row_at=self.books.row_of(key[0])))
        self.model.advance(hours * HOUR)

    # --- people

    @precondition(lambda self: self.model.jobs)
    @rule(data=st.data(), command=st.sampled_from(list(COMMANDS)), is_sensible=st.booleans())
    def command(self, data: st.DataObject, command: str, is_sensible: bool) -> None:
        """Give one of the commands about jobs, to some in whose state it does something, or to any."""
        jobs = self.model.in_state(*COMMANDS[command]) if is_sensible else list(self.model.jobs)
        if jobs:
            job_ids = data.draw(st.lists(st.sampled_from(sorted(jobs)), min_size=1, max_size=2, unique=True))
            {"cancel": self._cancel, "redrive": self._redrive, "discard": self._discard}[command](job_ids)

    def _cancel(self, job_ids: list[UUID]) -> None:
        before = {job_id: self.model.jobs[job_id].state for job_id in job_ids}
        done = self.ask(
            self.engine.scheduler,
            partial(
                cancel_jobs,
                command_id=CommandId(new_id()),
                job_ids=[JobId(job_id) for job_id in job_ids],
                states=list(JobState),
                reason=None,
            ),
        )
        running = [job_id for job_id, state in before.items() if state is JobState.RUNNING]
        assert done.asked == len(running)
        assert done.moved == len([state for state in before.values() if state not in FINAL]) - len(running)
        self.moved |= {(job_id, self.model.jobs[job_id].epoch) for job_id in running}
        self.model.cancel(job_ids)

    def _redrive(self, job_ids: list[UUID]) -> None:
        done = self.ask(
            self.engine.scheduler,
            partial(
                redrive_jobs,
                command_id=CommandId(new_id()),
                job_ids=[JobId(job_id) for job_id in job_ids],
                states=list(JobState),
                reason=None,
                max_redrives=MAX_REDRIVES,
            ),
        )
        ended = [job for job_id in job_ids if (job := self.model.jobs[job_id]).state in UNSUCCESSFUL]
        assert done.refused == sum(job.redrives >= MAX_REDRIVES for job in ended)
        assert done.moved == len(ended) - done.refused
        self.model.redrive(job_ids)

    @precondition(lambda self: self.model.in_state(*UNSUCCESSFUL))
    @rule(data=st.data())
    def redrive_again_and_again(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(sorted(self.model.in_state(*UNSUCCESSFUL))))
        for _ in range(MAX_REDRIVES + 1):
            self._redrive([job_id])
            self.the_books_are_the_models()
            self._cancel([job_id])
            self.the_books_are_the_models()

    def _discard(self, job_ids: list[UUID]) -> None:
        moved = self.ask(
            self.engine.scheduler,
            partial(
                discard_jobs,
                command_id=CommandId(new_id()),
                job_ids=[JobId(job_id) for job_id in job_ids],
                reason=None,
            ),
        )
        assert moved == sum(self.model.jobs[job_id].state is JobState.DEAD for job_id in job_ids)
        self.model.discard(job_ids)

    @rule(queue=st.sampled_from(QUEUES), is_pausing=st.sampled_from([True, False, False]))
    def pause_or_resume(self, queue: str, is_pausing: bool) -> None:
        if is_pausing:
            moved = self.ask(self.engine.scheduler, partial(pause_queue, queue=queue, paused_by="somebody", why=""))
            assert moved == (queue not in self.model.paused)
            self.model.paused.add(queue)
        else:
            moved = self.ask(self.engine.scheduler, partial(resume_queue, queue=queue))
            assert moved == (queue in self.model.paused)
            self.model.paused.discard(queue)

    # --- what always holds

    @invariant()
    def the_books_are_the_models(self) -> None:
        found = self.books.read()
        expected = {job_id: as_in_the_books(job) for job_id, job in self.model.jobs.items()}
        assert found == expected
        moves = {(before, found[job_id][0]) for job_id, before in self.states.items() if before != found[job_id][0]}
        assert moves <= ARROWS
        self.states = {job_id: str(row[0]) for job_id, row in found.items()}

    @invariant()
    def the_counts_are_exact(self) -> None:
        assert self.books.miscounted() == []

    @invariant()
    def no_limit_is_exceeded(self) -> None:
        busy = self.books.busy_by_limit()
        assert all(count <= self.model.limits[name].max_running for name, count in busy.items())

    def _runs_at(self, job_id: UUID) -> bool:
        return self.model.jobs[job_id].state is JobState.RUNNING

    def _runs(self, key: Attempt) -> bool:
        job = self.model.jobs[key[0]]
        return job.state is JobState.RUNNING and job.epoch == key[1]

    def _orders(self, job_ids: Iterable[UUID]) -> list[tuple[int, int, int]]:
        return sorted(self.model.jobs[job_id].order for job_id in job_ids)

    def _let_go(self, keys: Iterable[Attempt]) -> None:
        for key in keys:
            del self.held[key]

    def _held_by(self, executor_id: ExecutorId) -> list[Attempt]:
        """What an executor holds, or believes to hold."""
        return sorted(key for key, (owner, _) in self.held.items() if owner == executor_id)

    def _draw_held(self, data: st.DataObject, executor_id: ExecutorId, at_least: int = 0) -> list[Attempt]:
        """Some of what an executor holds, or believes to hold; of each job one attempt."""
        mine = self._held_by(executor_id)
        if not mine:
            return []
        some = st.lists(st.sampled_from(mine), min_size=at_least, max_size=3, unique_by=lambda key: key[0])
        return data.draw(some)


ARROWS = drawn("job") | {("running", "running")}


def test_whatever_happens_the_books_are_right(database: TestDatabase) -> None:
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(open_engine(database)) as engine,
        open_books(database) as books,
    ):

        class Stories(JobStories):
            def __init__(self) -> None:
                super().__init__(portal, engine, books)

        run_state_machine_as_test(Stories, settings=SETTINGS)
