"""What goes wrong is said clearly, ends, and leaves nothing half-done."""

import os

import pytest

from deploy.embedded.repository import git
from tests.contract.test_state_machine import drawn
from tests.end_to_end.world import World


def plan_trouble(world: World, files: dict[str, str]) -> str:
    """Push files whose plan fails; returns why, as the run and the log of its plan job say it."""
    pipeline = world.add_pipeline(files)
    run = pipeline.push_and_await()
    assert run["state"] == "failed"
    jobs = pipeline.jobs(run["run_id"])
    assert list(jobs) == ["plan"]
    assert run["reason"] in pipeline.log(jobs["plan"]["job_id"])
    return str(run["reason"])


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("on: push\njobs:\n  a:\n    neds: [b]\n    run: x\n", [".howdah.yml:4:5:", "did you mean `needs`?"]),
        ("on: push\njobs:\n  a: {run: x, matrix: {os: [a]}}\n", [".howdah.yml:3:15:", "not supported yet"]),
        ("on: push\njobs:\n  a: {run: x, needs: [b]}\n  b: {run: x, needs: [a]}\n", ["a → b → a"]),
        ("on: push\njobs: [\n", [".howdah.yml:"]),
        ("", [".howdah.yml:1:1:", "empty"]),
    ],
)
def test_a_broken_pipeline_file_fails_its_run_with_line_and_column(world: World, source: str, words: list[str]) -> None:
    reason = plan_trouble(world, {".howdah.yml": source})
    for word in words:
        assert word in reason


def test_a_missing_pipeline_file_is_named(world: World) -> None:
    assert ".howdah.yml: there is no such file" in plan_trouble(world, {"README": "nothing to build"})


def test_a_repository_that_does_not_answer_is_tried_again_and_says_why_it_waits(world: World) -> None:
    name = "unreachable"
    world.post("/api/v1/pipelines", {"name": name, "repository_url": "file:///no/such/repository.git"})
    started = world.post(f"/api/v1/pipelines/{name}/runs", {"branch": "main"})
    pipeline = world.add_pipeline({".howdah.yml": "on: push\njobs:\n  a: {run: x}\n"})
    job = pipeline.await_job_state(started["run_id"], "plan", "scheduled")
    shown = world.get(f"/api/v1/jobs/{job['job_id']}")
    assert "/no/such/repository.git" in shown["attempts"][0]["error"]
    assert shown["waits_for"]
    world.post(f"/api/v1/runs/{started['run_id']}/cancel")
    assert pipeline.await_run(started["run_id"])["state"] == "canceled"


def test_a_command_that_is_not_there_fails_with_the_shells_words(world: World) -> None:
    pipeline = world.add_pipeline({".howdah.yml": "on: push\njobs:\n  a: {run: no-such-command-here}\n"})
    run = pipeline.push_and_await()
    job = pipeline.jobs(run["run_id"])["a"]
    assert (run["state"], job["exit_code"]) == ("failed", 127)
    assert "no-such-command-here: command not found" in pipeline.log(job["job_id"])


def test_a_running_job_can_be_canceled_and_its_command_ends(world: World) -> None:
    pipeline = world.add_pipeline({".howdah.yml": "on: push\njobs:\n  a: {run: 'echo pid $$; sleep 1000'}\n"})
    pipeline.push()
    run_id = pipeline.runs()[0]["run_id"]
    job = pipeline.await_job_state(run_id, "a", "running")
    with world.api.stream("GET", f"/api/v1/stream/logs/{job['job_id']}", timeout=30) as stream:
        first = next(line for line in stream.iter_lines() if line.startswith("data:"))
    pid = int(first.split("pid ")[1].split("\\n")[0])
    world.post(f"/api/v1/runs/{run_id}/cancel", {"why": "not needed any more"})
    assert pipeline.await_run(run_id)["state"] == "canceled"
    assert pipeline.jobs(run_id)["a"]["state"] == "canceled"
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_job_that_takes_too_long_is_ended_with_all_that_it_started(world: World) -> None:
    pipeline = world.add_pipeline(
        {".howdah.yml": "on: push\njobs:\n  a: {timeout: 1s, run: 'setsid sleep 1000 & sleep 1000'}\n"}
    )
    run = pipeline.push_and_await()
    job = pipeline.jobs(run["run_id"])["a"]
    assert (run["state"], job["state"], job["reason"]) == ("failed", "failed", "timed_out")
    assert "timeout of 1 s" in job["error"]


def test_commands_see_only_what_was_declared(world: World) -> None:
    pipeline = world.add_pipeline(
        {".howdah.yml": 'on: push\njobs:\n  a: {run: \'env; cat /proc/*/environ | tr "\\0" "\\n"\'}\n'}
    )
    run = pipeline.push_and_await()
    log = pipeline.log(pipeline.jobs(run["run_id"])["a"]["job_id"])
    assert "HOWDAH_JOB=a" in log
    for secret in ("DATABASE_URL", "SEALING", "postgresql://", "PYTHONPATH=" + str(world.stack.state)):
        assert secret not in log


def test_a_branch_name_never_becomes_code(world: World) -> None:
    pipeline = world.add_pipeline({".howdah.yml": "on: push\njobs:\n  a: {run: 'echo \"on $HOWDAH_BRANCH\"'}\n"})
    hostile = "x;touch${IFS}pwned;$(exit)"
    git("checkout", "--quiet", "-b", hostile, cwd=pipeline.clone)
    git("push", "origin", hostile, cwd=pipeline.clone)
    run = pipeline.await_run(pipeline.runs()[0]["run_id"])
    assert run["state"] == "succeeded"
    assert f"on {hostile}" in pipeline.log(pipeline.jobs(run["run_id"])["a"]["job_id"])


def test_every_state_change_that_happened_is_one_that_is_drawn(world: World, quiet_world: World) -> None:
    for one in (world, quiet_world):
        for machine in ("job", "run", "executor", "notification"):
            observed = set(one.sql("select distinct source, target from observed_move where machine = %s", machine))
            assert observed <= drawn(machine)
    assert world.sql("select count(distinct (source, target)) > 8 from observed_move") == [(True,)]
