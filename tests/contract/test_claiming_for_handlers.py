"""What a turn-over claims: the oldest of what is ready, of one lane that the executor serves, and nothing in vain."""

import random
from functools import partial

import anyio
import msgspec
import pytest

from services.executor import finish_and_claim
from services.executor.hold_calls import HeldCall, read_claimed
from services.executor.queries.beat_executor import beat_executor, leave_executor
from shared.db import query
from shared.ids import ExecutorId, JobId, new_id
from shared.queries.models import ExecutorState
from tests.engine import Engine
from tests.turnover import HANDED_BACK, add_jobs, end_job, turn_over


async def test_a_claim_brings_all_that_a_handler_is_told(engine: Engine) -> None:
    (job_id,) = add_jobs(
        engine,
        {
            "payload": {"n": [1, 2.5]},
            "metadata": {"tenant": "t"},
            "retry": {"factor": 3},
            "traceparent": "00-1-2-03",
            "timeout_seconds": 7,
            "max_attempts": 4,
            "priority": 3,
        },
    )
    (bare_id,) = add_jobs(engine, {})
    executor = await engine.add_executor()
    turned = await turn_over(engine, executor)
    full, bare = turned.claimed
    assert (full.job_id, turned.lane and (turned.lane.job_type, turned.lane.queue)) == (job_id, ("a", "default"))
    told = (bytes(full.payload), bytes(full.metadata), bytes(full.retry))
    assert told == (b'{"n": [1, 2.5]}', b'{"tenant": "t"}', b'{"factor": 3}')
    assert (full.traceparent, full.timeout_seconds, full.attempts_used, full.max_attempts) == ("00-1-2-03", 7, 0, 4)
    assert (bare.job_id, bytes(bare.payload), bytes(bare.metadata), bytes(bare.retry)) == (bare_id, b"", b"", b"")
    assert (bare.traceparent, bare.timeout_seconds, bare.max_attempts) == (None, 300, 10)


async def test_what_a_job_brings_comes_whole_whatever_is_in_it_and_large_jobs_come_by_themselves(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = []

    def read(text: str) -> list[HeldCall]:
        texts.append(text)
        return read_claimed(text)

    monkeypatch.setattr(finish_and_claim, "read_claimed", read)
    payloads: list[object] = [
        'a "quoted" \\ \n\u2028 line',
        {"k": [None, "],["]},
        "x" * 300_000,
        list(range(20_000)),
        random.Random(1).randbytes(30_000).hex(),
    ]
    ids = add_jobs(engine, *({"payload": payload, "traceparent": f'a"{n}\\'} for n, payload in enumerate(payloads)))
    turned = await turn_over(engine, await engine.add_executor())
    assert turned.job_ids == ids
    assert [msgspec.json.decode(job.payload) for job in turned.claimed] == payloads
    assert [job.traceparent for job in turned.claimed] == [f'a"{n}\\' for n in range(len(payloads))]
    assert len(texts) == 3


async def test_nothing_ready_turns_over_nothing(engine: Engine) -> None:
    executor = await engine.add_executor()
    turned = await turn_over(engine, executor)
    assert (turned.done, turned.lane, turned.claimed) == (0, None, [])


async def test_a_claim_takes_no_more_than_its_slots_and_the_oldest_first(engine: Engine) -> None:
    ids = [job_id for _ in range(5) for job_id in add_jobs(engine, {})]
    executor = await engine.add_executor()
    assert (await turn_over(engine, executor, slots=2)).job_ids == ids[:2]
    assert (await turn_over(engine, executor, slots=1)).job_ids == ids[2:3]
    assert (await turn_over(engine, executor, slots=9)).job_ids == ids[3:]


async def test_jobs_of_one_call_that_are_due_together_are_claimed_as_they_were_given(engine: Engine) -> None:
    ids = add_jobs(engine, *({"labels": []} for _ in range(2000)))
    executor = await engine.add_executor()
    claimed = [job_id for _ in range(20) for job_id in (await turn_over(engine, executor)).job_ids]
    assert claimed == ids


async def test_what_is_not_claimed_is_not_locked(engine: Engine) -> None:
    ids = add_jobs(engine, *({} for _ in range(10)))
    executor, other = await engine.add_executor(), await engine.add_executor()
    async with engine.executor.connection() as connection, connection.transaction(force_rollback=True):
        assert (await turn_over(engine, executor, slots=3, connection=connection)).job_ids == ids[:3]
        free = engine.sql("select id from job where state = 'ready' order by id for update skip locked")
        assert [job_id for (job_id,) in free] == ids[3:]
        # Whoever comes meanwhile does not wait, and gets the rest.
        second = await turn_over(engine, other)
        assert second.job_ids == ids[3:]
        # A lane whose jobs are all in other hands is named, so that one looks again.
        third = await turn_over(engine, other, second.claimed)
        assert (third.done, third.claimed) == (7, [])
        assert third.lane is not None
    assert (await turn_over(engine, other)).job_ids == ids[:3]


async def test_the_lane_whose_head_has_waited_longest_is_served_and_no_other(engine: Engine) -> None:
    old_b = add_jobs(engine, {"type": "b", "run_at": "2026-01-01T00:00:01Z"})
    old_a = add_jobs(engine, {"run_at": "2026-01-01T00:00:02Z"})
    new_b = add_jobs(engine, {"type": "b"})
    add_jobs(engine, {"type": "c", "run_at": "2025-01-01T00:00:00Z"})
    executor = await engine.add_executor()
    claim = partial(turn_over, engine, executor, job_types=["a", "b"])
    first = await claim()
    assert (first.job_ids, first.lane and first.lane.job_type) == (old_b + new_b, "b")
    assert (await claim()).job_ids == old_a
    assert (await claim()).job_ids == []


async def test_an_executor_gets_only_jobs_of_its_types_queues_and_labels(engine: Engine) -> None:
    (plain,) = add_jobs(engine, {})
    (typed,) = add_jobs(engine, {"type": "b"})
    (queued,) = add_jobs(engine, {"queue": "q"})
    (labeled,) = add_jobs(engine, {"labels": ["eu", "gpu"]})
    executor = await engine.add_executor()
    claim = partial(turn_over, engine, executor)
    assert (await claim()).job_ids == [plain]
    assert (await claim(job_types=[])).job_ids == []
    assert (await claim(queues=[])).job_ids == []
    assert (await claim(labels=["gpu"])).job_ids == []
    assert (await claim(job_types=["b", "unknown"])).job_ids == [typed]
    assert (await claim(queues=["q"])).job_ids == [queued]
    assert (await claim(labels=["more", "gpu", "eu"])).job_ids == [labeled]


async def test_commands_are_not_for_handlers(engine: Engine) -> None:
    await engine.start_run({"a": []})
    executor = await engine.add_executor()
    assert (await turn_over(engine, executor)).claimed == []


async def test_priority_counts_by_the_minute_and_old_jobs_are_not_starved(engine: Engine) -> None:
    seconds_ago = {"old": (3600, 0), "urgent": (0, 10), "high": (599, 0), "new": (0, 0), "low": (0, -1)}
    named = {
        add_jobs(engine, {"priority": priority, "payload": name})[0]: name
        for name, (_, priority) in seconds_ago.items()
    }
    for job_id, name in named.items():
        engine.sql(
            """
            update job set run_at = run_at - make_interval(secs => %s),
                claim_order = claim_order_of(run_at - make_interval(secs => %s), priority)
            where id = %s
            """,
            seconds_ago[name][0],
            seconds_ago[name][0],
            job_id,
        )
    executor = await engine.add_executor()
    order = [named[(await turn_over(engine, executor, slots=1)).job_ids[0]] for _ in named]
    assert order == ["old", "urgent", "high", "new", "low"]


async def test_nothing_is_claimed_of_a_paused_queue_and_what_runs_is_finished(engine: Engine) -> None:
    (before,) = add_jobs(engine, {"queue": "q"})
    executor = await engine.add_executor()
    claim = partial(turn_over, engine, executor, queues=["q", "default"])
    running = (await claim()).claimed
    assert [job.job_id for job in running] == [before]
    waiting = add_jobs(engine, {"queue": "q"})
    other = add_jobs(engine, {})
    engine.sql("insert into queue (name, paused_at, paused_by) values ('q', now(), 'somebody')")
    assert (await claim()).job_ids == other
    turned = await claim(running)
    assert (turned.done, turned.claimed, turned.lane) == (1, [], None)
    engine.sql("update queue set paused_at = null, paused_by = null")
    assert (await claim()).job_ids == waiting


async def test_marks_skip_what_was_claimed_and_hide_nothing_from_a_claim_without_them(engine: Engine) -> None:
    first = add_jobs(engine, {"run_at": "2026-01-01T00:00:01Z"})
    same = add_jobs(engine, *({"run_at": "2026-01-01T00:00:02Z"} for _ in range(3)))
    engine.sql("update job set claim_order = claim_order_of(run_at, priority)")
    last = add_jobs(engine, {"run_at": "2026-01-01T00:00:03Z"})
    other = add_jobs(engine, {"type": "b", "run_at": "2026-01-01T00:00:04Z"})
    executor = await engine.add_executor()
    claim = partial(turn_over, engine, executor, job_types=["a", "b"])
    claimed = await claim(slots=2)
    assert claimed.job_ids[0] == first[0]
    same.remove(claimed.job_ids[1])
    assert claimed.lane is not None
    marks = {claimed.lane.lane_id: claimed.last_order or 0}
    # A retry comes back in front of the mark.
    assert await end_job(engine, executor, claimed.claimed[0], HANDED_BACK) == "ready"
    # Jobs of the mark's own moment are not behind it.
    assert (await claim(marks=marks)).job_ids == [*same, *last]
    # A lane with nothing behind its mark lets others come first, and has its turn without marks.
    assert (await claim(marks=marks)).job_ids == other
    assert (await claim(marks=marks)).job_ids == []
    assert (await claim()).job_ids == first


async def test_the_mark_of_one_lane_is_none_of_another(engine: Engine) -> None:
    jobs = add_jobs(engine, {"run_at": "2026-01-01T00:00:01Z"})
    ((lane_id,),) = engine.sql("select id from lane")
    executor = await engine.add_executor()
    assert (await turn_over(engine, executor, marks={lane_id + 1: 2**62})).job_ids == jobs


@pytest.mark.parametrize("state", ["draining", "left", "lost"])
async def test_an_executor_that_is_not_active_finishes_and_claims_nothing(engine: Engine, state: str) -> None:
    add_jobs(engine, {}, {})
    executor = await engine.add_executor()
    running = (await turn_over(engine, executor, slots=1)).claimed
    if state == "draining":
        await query(engine.executor, partial(beat_executor, executor_id=executor, state=ExecutorState.DRAINING))
    elif state == "left":
        await query(engine.executor, partial(leave_executor, executor_id=executor))
    else:
        engine.sql("update executor set state = 'lost', ended_at = now()")
    turned = await turn_over(engine, executor, running)
    assert (turned.done, turned.claimed) == (1, [])
    assert engine.sql("select count(*) from job where state = 'ready'") == [(1,)]


async def test_an_unknown_executor_claims_nothing(engine: Engine) -> None:
    add_jobs(engine, {})
    assert (await turn_over(engine, ExecutorId(new_id()))).claimed == []


async def test_turnovers_beside_each_other_share_no_job_and_leave_none(engine: Engine) -> None:
    ids = add_jobs(engine, *({"type": "ab"[number % 2]} for number in range(400)))
    claimed: list[JobId] = []
    done: list[int] = []

    async def work() -> None:
        executor = await engine.add_executor()
        held: list[HeldCall] = []
        while True:
            turned = await turn_over(engine, executor, held, slots=7, job_types=["a", "b"])
            done.append(turned.done)
            assert turned.done == len(held)
            held = turned.claimed
            claimed.extend(turned.job_ids)
            if not held and turned.lane is None:
                return

    async with anyio.create_task_group() as tasks:
        for _ in range(6):
            tasks.start_soon(work)
    assert sorted(claimed) == ids
    assert sum(done) == len(ids)
    assert engine.sql("select state::text, attempts_used, claim_epoch, count(*) from job group by 1, 2, 3") == [
        ("succeeded", 1, 1, 400)
    ]
