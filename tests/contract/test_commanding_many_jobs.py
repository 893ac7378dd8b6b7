"""A command about many jobs changes all that it means, and no other, in batches, whoever dies on the way."""

from typing import Any

import anyio
import pytest

from services.scheduler.apply_job_filters import apply_job_filters
from shared.db import answers, open_pool
from shared.errors import DatabaseUnavailableError
from tests.contract.own_jobs import FAILED, claim, enqueue, fail, give, outcome, states
from tests.contract.test_scheduler_deaths import die_before_statement
from tests.engine import Engine

# Whether jobs are found by their states, or along the primary key.
BOTH_WAYS = pytest.mark.parametrize("walk_from", [1_000_000, -1], ids=["by state", "by key"])


async def apply(engine: Engine, kind: str, job_filter: dict[str, Any], walk_from: int = 1_000_000) -> str | None:
    command_id = give(engine, kind, job_filter=job_filter)
    while await apply_job_filters(engine.scheduler, 5, batch=2, search=5, walk_from=walk_from) == 0:
        pass
    return outcome(engine, command_id)


MEANT: list[tuple[dict[str, Any], set[int]]] = [
    ({"type": "email"}, {0, 1, 2, 3, 4}),
    ({"type": "report"}, {5}),
    ({"queue": "slow"}, {1}),
    ({"concurrency_key": "k"}, {2}),
    ({"concurrency_key": "unknown"}, set()),
    ({"states": ["scheduled"]}, {3}),
    ({"states": ["blocked", "ready"], "type": "email"}, {0, 1, 2, 4}),
    ({"reason": "asked"}, {3}),
    ({"reason": "limit"}, {2}),
    ({"metadata": {"customer": 7}}, {4}),
    ({"metadata": {"customer": 8}}, set()),
    ({"enqueued_after": "2026-01-02T00:00:00Z", "enqueued_before": "2026-01-04T00:00:00Z"}, {2, 3}),
    ({"states": ["succeeded"]}, set()),
]


@BOTH_WAYS
@pytest.mark.parametrize(("job_filter", "meant"), MEANT)
async def test_a_filter_means_these_jobs_and_no_others(
    engine: Engine, job_filter: dict[str, Any], meant: set[int], walk_from: int
) -> None:
    ids = enqueue(
        engine,
        {},
        {"queue": "slow"},
        {"concurrency_key": "k"},
        {"delay_seconds": 60},
        {"metadata": {"customer": 7, "order": 1}},
        {"type": "report"},
    )
    for day, job_id in enumerate(ids):
        engine.sql(
            "update job set created_at = '2025-12-31'::timestamptz + %s * interval '1 day' where id = %s", day, job_id
        )
    _, of_a_run = await engine.start_run({"a": []})
    said = await apply(engine, "cancel_jobs", job_filter, walk_from)
    assert {place for place, state in enumerate(states(engine, ids)) if state == "canceled"} == meant
    assert engine.job(of_a_run["a"]).state == "ready"
    if not meant:
        assert said == "nothing to cancel: the filter means no job for which that can be done"
    else:
        assert said == f"canceled {len(meant)} waiting job{'s' if len(meant) > 1 else ''}"


@BOTH_WAYS
async def test_every_job_of_all_batches_is_changed_and_counted(engine: Engine, walk_from: int) -> None:
    ids = enqueue(engine, *[{}] * 23)
    running = await claim(engine, await engine.add_executor(), 4)
    said = await apply(engine, "cancel_jobs", {"type": "email"}, walk_from)
    assert said == "canceled 19 waiting jobs and asked 4 running jobs to end"
    assert sorted(states(engine, ids)) == ["canceled"] * 19 + ["running"] * 4
    assert all(engine.job(job.job_id).is_cancel_requested for job in running)


@BOTH_WAYS
async def test_many_jobs_are_redriven_and_discarded(engine: Engine, walk_from: int) -> None:
    ids = await fail(engine, *[{}] * 7)
    kept = await fail(engine, {}, how=FAILED)
    engine.sql("update job set redrives = 5 where id = %s", ids[0])
    said = await apply(engine, "redrive_jobs", {"type": "email", "states": ["dead"]}, walk_from)
    assert said == "redrove 6 jobs and left 1 job that had been redriven 5 times already"
    assert states(engine, [*ids, *kept]) == ["dead"] + ["ready"] * 6 + ["failed"]
    assert await apply(engine, "discard_jobs", {"type": "email"}, walk_from) == "discarded 1 dead job"


async def test_a_job_that_came_after_the_command_is_not_meant(engine: Engine) -> None:
    command_id = give(engine, "cancel_jobs", job_filter={"type": "email"})
    (job_id,) = enqueue(engine, {})
    await apply_job_filters(engine.scheduler)
    assert engine.job(job_id).state == "ready"
    assert outcome(engine, command_id) is not None


@pytest.mark.parametrize("job_filter", [{}, {"colour": "red"}, {"type": 7}, {"enqueued_after": "yesterday"}])
async def test_a_filter_that_means_everything_or_cannot_be_read_does_nothing_and_says_so(
    engine: Engine, job_filter: dict[str, Any]
) -> None:
    (job_id,) = enqueue(engine, {})
    assert (await apply(engine, "cancel_jobs", job_filter) or "").startswith("nothing was done: the filter ")
    assert engine.job(job_id).state == "ready"


@BOTH_WAYS
async def test_a_death_before_any_statement_loses_and_doubles_nothing(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, walk_from: int
) -> None:
    ids = await fail(engine, *[{}] * 9)
    command_id = give(engine, "redrive_jobs", job_filter={"type": "email"})
    deaths = 0
    while outcome(engine, command_id) is None:
        async with open_pool(engine.database.dsn("scheduler"), name="mortal", max_size=1) as pool:
            await answers(pool, seconds=10)
            with monkeypatch.context() as patch:
                # Each lives a little longer than the one before it, so that every statement is the last one once.
                die_before_statement(patch, deaths)
                try:
                    await apply_job_filters(pool, 5, batch=2, search=4, walk_from=walk_from)
                except DatabaseUnavailableError:
                    deaths += 1
    assert deaths >= 8
    assert outcome(engine, command_id) == "redrove 9 jobs"
    assert states(engine, ids) == ["ready"] * 9
    assert engine.sql("select redrives, count(*) from job group by 1") == [(1, 9)]
    assert engine.sql("select count(*) from audit_event where name = 'job.redriven'") == [(9,)]
    assert engine.sql("select count(*) from audit_event where name = 'command.applied'") == [(1,)]


@BOTH_WAYS
async def test_schedulers_that_race_change_every_job_once(engine: Engine, walk_from: int) -> None:
    await fail(engine, *[{}] * 60)
    commands = [give(engine, "redrive_jobs", job_filter={"type": "email"}) for _ in range(2)]

    async def apply_all() -> None:
        while any(outcome(engine, command_id) is None for command_id in commands):
            await apply_job_filters(engine.scheduler, 5, batch=3, search=10, walk_from=walk_from)

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(apply_all)
    assert [outcome(engine, command_id) for command_id in commands] == [
        "redrove 60 jobs",
        "nothing to redrive: the filter means no job for which that can be done",
    ]
    assert engine.sql("select redrives, count(*) from job group by 1") == [(1, 60)]
