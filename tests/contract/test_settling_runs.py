"""Consequences: a failure unlocks nothing, the last end ends the run exactly once, a plan is applied once."""

from functools import partial

import anyio
import msgspec

from services.executor.finish_jobs import AttemptEnd, FailingLine
from services.executor.queries.claim_jobs import ClaimJobsRow
from services.scheduler.apply_commands import apply_commands
from services.scheduler.plan_run import plan_runs
from services.scheduler.release_jobs import release_jobs, settle_run
from shared.db import in_transaction
from shared.ids import ExecutorId, JobId, RunId, new_id
from shared.pipeline.load import load_pipeline
from shared.plan_result import PlanResult
from shared.queries.models import AttemptOutcome, JobKind, JobState
from tests.engine import FAILED, SUCCEEDED, Engine


def run_state(engine: Engine, run_id: RunId) -> tuple[str, str | None]:
    ((state, reason),) = engine.sql("select state::text, reason from run where id = %s", run_id)
    return state, reason


def add_channel(engine: Engine) -> None:
    engine.sql(
        """
        insert into channel (id, name, kind, events, sealed_url, key_id)
        values (%s, 'c', 'webhook', '{run.succeeded,run.failed,run.canceled,run.skipped,job.failed}', '', 'k1')
        """,
        new_id(),
    )


async def test_a_job_starts_when_all_that_it_needs_has_succeeded(engine: Engine) -> None:
    run_id, ids = await engine.start_run({"a": [], "b": [], "c": ["a", "b"]})
    executor = await engine.add_executor()
    first, second = await engine.claim(executor)
    await engine.finish(executor, first, SUCCEEDED)
    await release_jobs(engine.scheduler)
    assert engine.job(ids["c"]).state == "blocked"
    await engine.finish(executor, second, SUCCEEDED)
    await release_jobs(engine.scheduler)
    (last,) = await engine.claim(executor)
    assert last.key == "c"
    await engine.finish(executor, last, SUCCEEDED)
    await release_jobs(engine.scheduler)
    assert run_state(engine, run_id) == ("succeeded", None)


async def test_a_failed_predecessor_never_unlocks_its_successors(engine: Engine) -> None:
    run_id, ids = await engine.start_run({"test": [], "deploy": ["test"], "tell": ["deploy"], "lint": []})
    executor = await engine.add_executor()
    for job in await engine.claim(executor):
        await engine.finish(executor, job, FAILED if job.key == "test" else SUCCEEDED)
    await release_jobs(engine.scheduler)
    assert [(engine.job(ids[key]).state, engine.job(ids[key]).reason) for key in ("deploy", "tell")] == [
        ("skipped", "need_failed"),
        ("skipped", "need_skipped"),
    ]
    assert run_state(engine, run_id) == ("failed", "failed: test")


async def finish_and_settle(engine: Engine, executor: ExecutorId, job: ClaimJobsRow) -> None:
    assert job.run_id is not None
    await engine.finish(executor, job, SUCCEEDED)
    await in_transaction(engine.scheduler, partial(settle_run, run_id=job.run_id))


async def test_two_last_jobs_that_end_together_end_the_run_once(engine: Engine) -> None:
    add_channel(engine)
    for _ in range(10):
        run_id, _ = await engine.start_run({"a": [], "b": []})
        executor = await engine.add_executor()
        jobs = await engine.claim(executor)
        async with anyio.create_task_group() as tasks:
            for job in jobs:
                tasks.start_soon(finish_and_settle, engine, executor, job)
        # Whoever found the run locked leaves the rest to the next look, which is here at the latest.
        await release_jobs(engine.scheduler)
        assert run_state(engine, run_id)[0] == "succeeded"
        assert engine.sql("select count(*) from audit_event where name = 'run.finished' and run_id = %s", run_id) == [
            (1,)
        ]
        assert engine.sql("select count(*) from notification where run_id = %s", run_id) == [(1,)]


async def test_a_failure_tells_of_the_job_and_of_the_run(engine: Engine) -> None:
    add_channel(engine)
    run_id, _ = await engine.start_run({"a": []})
    executor = await engine.add_executor()
    (job,) = await engine.claim(executor)
    failing = FailingLine(41, "error: the roof leaks")
    await engine.finish(executor, job, msgspec.structs.replace(FAILED, failing=failing))
    await release_jobs(engine.scheduler)
    rows = engine.sql("select event, payload->'failed_jobs'->0 from notification where run_id = %s", run_id)
    assert [(event, told["key"], told["failing_line"], told["failing_text"]) for event, told in sorted(rows)] == [
        ("job.failed", "a", 41, failing.text),
        ("run.failed", "a", 41, failing.text),
    ]


async def finish_plan(engine: Engine, source: str) -> tuple[RunId, JobId]:
    """Request a run, and finish its plan job with what this pipeline file says."""
    run_id, plan_job_id = engine.request_run(engine.add_pipeline(f"p{new_id().hex[-12:]}"))
    executor = await engine.add_executor()
    (job,) = await engine.claim(executor, kind=JobKind.PLAN, queue="plan")
    assert job.job_id == plan_job_id
    result = PlanResult(
        commit="1" * 40, title="A title", author="Somebody", pipeline=load_pipeline(source.encode()), changed_paths=None
    )
    await engine.finish(executor, job, AttemptEnd(AttemptOutcome.SUCCEEDED, exit_code=0, result=result))
    return run_id, plan_job_id


async def test_a_plan_becomes_the_jobs_of_its_run_exactly_once(engine: Engine) -> None:
    run_id, _ = await finish_plan(engine, "on: push\njobs:\n  a: {run: 'true'}\n  b: {needs: [a], run: 'true'}\n")
    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(plan_runs, engine.scheduler)
    await plan_runs(engine.scheduler)
    rows = engine.sql(
        """
        select s.key, j.state::text, j.reason from job j join job_spec s on s.job_id = j.id
        where j.run_id = %s and j.kind = 'shell' order by s.position
        """,
        run_id,
    )
    assert rows == [("a", "ready", None), ("b", "blocked", "needs")]
    assert engine.sql("select state::text, commit_sha, title from run where id = %s", run_id) == [
        ("running", "1" * 40, "A title")
    ]


async def test_a_run_that_nothing_matches_ends_skipped_and_says_why(engine: Engine) -> None:
    run_id, _ = await finish_plan(engine, "on: {push: {branches: [release]}}\njobs:\n  a: {run: 'true'}\n")
    await plan_runs(engine.scheduler)
    state, reason = run_state(engine, run_id)
    assert state == "skipped"
    assert "does not match branch `main`" in (reason or "")


async def test_a_run_whose_jobs_are_all_skipped_ends(engine: Engine) -> None:
    run_id, _ = await finish_plan(engine, "on: push\njobs:\n  a: {when: {branch: other}, run: 'true'}\n")
    await plan_runs(engine.scheduler)
    assert run_state(engine, run_id)[0] == "skipped"


async def test_a_broken_plan_fails_its_run_with_the_plans_own_words(engine: Engine) -> None:
    run_id, _ = engine.request_run(engine.add_pipeline())
    executor = await engine.add_executor()
    (job,) = await engine.claim(executor, kind=JobKind.PLAN, queue="plan")
    await engine.finish(executor, job, AttemptEnd(AttemptOutcome.FAILED, error=".howdah.yml:3:1: no"))
    await plan_runs(engine.scheduler)
    assert run_state(engine, run_id) == ("failed", ".howdah.yml:3:1: no")


async def give(engine: Engine, kind: str, run_id: RunId, job_id: JobId | None = None) -> None:
    engine.sql(
        "insert into command (id, kind, run_id, job_id, given_by, why) values (%s, %s, %s, %s, 'me', 'because')",
        new_id(),
        kind,
        run_id,
        job_id,
    )
    while await apply_commands(engine.scheduler, 60) == 0:
        pass


async def test_canceling_a_run_ends_it_even_if_nothing_runs(engine: Engine) -> None:
    run_id, _ = await engine.start_run({"a": [], "b": ["a"]})
    await give(engine, "cancel_run", run_id)
    await release_jobs(engine.scheduler)
    assert run_state(engine, run_id)[0] == "canceled"


async def test_canceling_one_job_skips_what_needs_it(engine: Engine) -> None:
    run_id, ids = await engine.start_run({"a": [], "b": ["a"]})
    await give(engine, "cancel_job", run_id, ids["a"])
    await release_jobs(engine.scheduler)
    assert (engine.job(ids["b"]).state, engine.job(ids["b"]).reason) == ("skipped", "need_canceled")
    assert run_state(engine, run_id)[0] == "canceled"


async def test_canceling_a_run_before_its_plan_cancels_it(engine: Engine) -> None:
    run_id, _ = engine.request_run(engine.add_pipeline())
    await give(engine, "cancel_run", run_id)
    await plan_runs(engine.scheduler)
    assert run_state(engine, run_id)[0] == "canceled"


async def test_a_cancel_between_plan_and_jobs_is_not_lost(engine: Engine) -> None:
    run_id, _ = await finish_plan(engine, "on: push\njobs:\n  a: {run: 'true'}\n")
    await give(engine, "cancel_run", run_id)
    await plan_runs(engine.scheduler)
    assert run_state(engine, run_id)[0] == "canceled"
    assert engine.sql("select count(*) from job where run_id = %s and kind = 'shell'", run_id) == [(0,)]


async def test_a_rerun_is_a_new_run_of_the_same_commit(engine: Engine) -> None:
    run_id, _ = await engine.start_run({"a": []})
    await give(engine, "rerun_run", run_id)
    rows = engine.sql("select number, commit_sha, state::text from run where rerun_of = %s", run_id)
    assert rows == [(2, "0" * 40, "requested")]
    assert engine.sql("select outcome from command") == [("requested run 2",)]


async def test_a_command_without_object_says_so(engine: Engine) -> None:
    run_id, _ = await engine.start_run({"a": []})
    await give(engine, "cancel_run", run_id)
    await release_jobs(engine.scheduler)
    await give(engine, "cancel_run", run_id)
    assert ("nothing to cancel: run 1 has ended as canceled",) in engine.sql("select outcome from command")


async def test_a_plan_result_survives_the_database(engine: Engine) -> None:
    _, plan_job_id = await finish_plan(engine, "on: push\njobs:\n  a: {run: 'true', env: {A: '3.10'}}\n")
    ((stored,),) = engine.sql("select result from attempt where job_id = %s", plan_job_id)
    result = msgspec.convert(stored, PlanResult)
    assert result.pipeline.jobs[0].env == {"A": "3.10"}
    assert engine.job(plan_job_id).state == JobState.SUCCEEDED


async def test_numbers_of_runs_are_per_pipeline_and_without_gaps(engine: Engine) -> None:
    pipelines = [engine.add_pipeline("one"), engine.add_pipeline("two")]
    for _ in range(3):
        for pipeline_id in pipelines:
            engine.request_run(pipeline_id)
    for pipeline_id in pipelines:
        assert engine.sql("select number from run where pipeline_id = %s order by 1", pipeline_id) == [
            (1,),
            (2,),
            (3,),
        ]
