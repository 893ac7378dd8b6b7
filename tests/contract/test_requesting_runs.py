"""Runs are requested in sets: numbered without gaps, in order, and without two sets ever waiting for each other."""

from typing import Any

import anyio
import psycopg
import pytest

from shared.ids import JobId, PipelineId, RunId, new_id
from tests.await_lock import await_lock
from tests.engine import Engine

REQUEST = """
select r.run_id, r.number
from request_runs(
    array(
        select row(
            u.run_id, u.plan_job_id, u.pipeline_id, 'push', 'refs/heads/main', 'main', null, null, 't', 'a', 'test',
            null, null
        )::run_request
        from unnest(%s::uuid[], %s::uuid[], %s::uuid[]) with ordinality as u (
            run_id, plan_job_id, pipeline_id, ordinality
        )
        order by u.ordinality
    ),
    60
) as r (run_id, number)
"""


def request_runs(connection: psycopg.Connection, pipelines: list[PipelineId]) -> list[int]:
    """Request a run of each pipeline, in one statement; returns the numbers, in order."""
    runs = [RunId(new_id()) for _ in pipelines]
    rows: list[Any] = connection.execute(REQUEST, [runs, [JobId(new_id()) for _ in pipelines], pipelines]).fetchall()
    numbers = dict(rows)
    assert sorted(numbers) == sorted(runs)
    return [numbers[run] for run in runs]


def connect(engine: Engine, *, autocommit: bool = True) -> psycopg.Connection:
    return psycopg.connect(engine.database.dsn("ingest"), autocommit=autocommit)


async def test_runs_are_numbered_for_each_pipeline_in_the_order_in_which_they_are_asked_for(engine: Engine) -> None:
    one, other = engine.add_pipeline("one"), engine.add_pipeline("other")
    with connect(engine) as ingest:
        assert request_runs(ingest, [one, other, one, one]) == [1, 1, 2, 3]
        assert request_runs(ingest, [other, one]) == [2, 4]
        assert request_runs(ingest, []) == []
    _, _ = engine.request_run(one)
    assert engine.sql("select array_agg(number order by number) from run group by pipeline_id order by 1") == [
        ([1, 2],),
        ([1, 2, 3, 4, 5],),
    ]


async def test_each_run_has_its_plan_job_its_definition_and_its_event(engine: Engine) -> None:
    pipeline = engine.add_pipeline()
    with connect(engine) as ingest:
        request_runs(ingest, [pipeline] * 3)
    rows = engine.sql(
        """
        select r.number, r.state::text, j.kind::text, j.state::text, l.queue, s.key, s.timeout_seconds, e.name,
            e.detail -> 'number'
        from run r
        join job j on j.id = r.plan_job_id and j.run_id = r.id
        join lane l on l.id = j.lane_id
        join job_spec s on s.job_id = j.id
        join audit_event e on e.run_id = r.id
        order by r.number
        """
    )
    assert rows == [
        (number, "requested", "plan", "ready", "plan", "plan", 60, "run.requested", number) for number in (1, 2, 3)
    ]


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
async def test_counters_are_locked_by_id_whatever_order_the_runs_come_in(engine: Engine, order: list[int]) -> None:
    pipelines = sorted([engine.add_pipeline("one"), engine.add_pipeline("other")])
    low, high = pipelines
    with connect(engine) as setup:
        request_runs(setup, [low, high])  # so that there are counters to lock
    answers: list[list[int]] = []
    with connect(engine, autocommit=False) as first, connect(engine) as second:
        assert request_runs(first, [low]) == [2]

        async def request_both() -> None:
            asked = [pipelines[place] for place in order]
            answers.append(await anyio.to_thread.run_sync(request_runs, second, asked))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(request_both)
            await await_lock(engine.database, r"from request_runs\(")
            # It waits for the lower one and holds nothing: were it to hold the higher one, this would be a deadlock.
            assert request_runs(first, [high]) == [2]
            first.commit()
    assert answers == [[3, 3]]


async def test_a_pipeline_that_is_gone_takes_the_whole_set_with_it(engine: Engine) -> None:
    pipeline = engine.add_pipeline()
    with connect(engine) as ingest, pytest.raises(psycopg.errors.ForeignKeyViolation):
        request_runs(ingest, [pipeline, PipelineId(new_id())])
    assert engine.sql("select (select count(*) from run), (select count(*) from job)") == [(0, 0)]
