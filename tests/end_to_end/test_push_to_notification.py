"""The whole path: a real push becomes a run whose jobs run in order, whose log streams, whose outcome is told."""

import json

import pytest

from tests.end_to_end.world import World

FILE = """
name: app
on: {push: {branches: [main]}}
env: {GREETING: hello}
jobs:
  build:
    steps:
      - {name: greet, run: 'echo "$GREETING from $HOWDAH_BRANCH"; cat data.txt'}
      - {name: complain, run: "echo careful >&2"}
  test:
    needs: [build]
    run: |
      for i in $(seq 1 2000); do echo "line $i"; done
  release:
    needs: [test]
    when: {branch: release}
    run: exit 1
"""


@pytest.fixture(params=["world", "quiet_world", "pooled_world"])
def either_world(request: pytest.FixtureRequest) -> World:
    found: World = request.getfixturevalue(request.param)
    return found


def test_a_push_runs_its_jobs_streams_their_logs_and_tells_the_outcome(either_world: World) -> None:
    world = either_world
    pipeline = world.add_pipeline({".howdah.yml": FILE, "data.txt": "from the repository\n"})
    secret = world.add_channel(pipeline.name, "run.succeeded", "run.failed")
    said = pipeline.push()
    assert "howdah: run 1 http://127.0.0.1" in said
    (requested,) = pipeline.runs()
    run = pipeline.await_run(requested["run_id"])
    assert (run["state"], run["branch"], run["title"]) == ("succeeded", "main", f"first of {pipeline.name}")
    jobs = pipeline.jobs(run["run_id"])
    assert {key: job["state"] for key, job in jobs.items()} == {
        "plan": "succeeded",
        "build": "succeeded",
        "test": "succeeded",
        "release": "skipped",
    }
    assert jobs["build"]["finished_at"] <= jobs["test"]["started_at"]
    log = pipeline.log(jobs["build"]["job_id"])
    assert "hello from main\nfrom the repository\n" in log
    assert "careful" in log
    expected = "".join(f"line {number}\n" for number in range(1, 2001))
    assert world.api.get(f"/api/v1/jobs/{jobs['test']['job_id']}/log/raw").text == expected
    assert streamed(world, jobs["test"]["job_id"]) == expected
    received = world.await_notification()
    assert received.is_signed_with(secret)
    body = json.loads(received.body)
    assert (body["type"], body["data"]["pipeline"]) == ("run.succeeded", pipeline.name)
    # The same push again, byte for byte: the forge delivers anew, and starts nothing.
    assert len(pipeline.runs()) == 1


def streamed(world: World, job_id: str) -> str:
    """What the stream of a job's log brings until its end."""
    text = ""
    with world.api.stream("GET", f"/api/v1/stream/logs/{job_id}", timeout=30) as stream:
        event = ""
        for line in stream.iter_lines():
            if line.startswith("event:"):
                event = line.removeprefix("event:").strip()
                if event == "end":
                    return text
            elif line.startswith("data:") and event != "end":
                text += json.loads(line.removeprefix("data:"))["text"]
    raise AssertionError("the stream broke off before its end")


def test_a_failure_skips_what_needs_it_and_tells_of_job_and_run(world: World) -> None:
    pipeline = world.add_pipeline(
        {
            ".howdah.yml": "on: push\njobs:\n"
            "  test: {run: 'echo see; echo broken >&2; exit 7'}\n  deploy: {needs: [test], run: 'echo never'}\n"
        }
    )
    world.add_channel(pipeline.name, "run.failed", "job.failed")
    run = pipeline.push_and_await()
    assert (run["state"], run["reason"]) == ("failed", "failed: test")
    jobs = pipeline.jobs(run["run_id"])
    assert (jobs["test"]["exit_code"], jobs["deploy"]["state"]) == (7, "skipped")
    assert (jobs["test"]["failing_line"], jobs["test"]["failing_text"]) == (1, "broken")
    told = [json.loads(world.await_notification().body) for _ in range(2)]
    assert {message["type"] for message in told} == {"job.failed", "run.failed"}
    for message in told:
        assert message["data"]["failed_jobs"][0]["failing_text"] == "broken"
        assert message["data"]["urls"]["failing_line"].endswith(f"/jobs/{jobs['test']['job_id']}#L2")


def test_each_push_is_built_at_its_own_commit(world: World) -> None:
    pipeline = world.add_pipeline(
        {".howdah.yml": "on: push\njobs:\n  show: {run: cat data.txt}\n", "data.txt": "one\n"}
    )
    first = pipeline.push_and_await()
    pipeline.commit({"data.txt": "two\n"}, "second")
    second = pipeline.push_and_await()
    assert (first["number"], second["number"]) == (1, 2)
    assert second["title"] == "second"
    for run, text in ((first, "one"), (second, "two")):
        assert text in pipeline.log(pipeline.jobs(run["run_id"])["show"]["job_id"])
    rerun = world.post(f"/api/v1/runs/{first['run_id']}/rerun")
    assert rerun
    for _ in pipeline.events(first["run_id"]):
        if len(pipeline.runs()) == 3:
            break
    again = pipeline.await_run(pipeline.runs()[0]["run_id"])
    assert (again["state"], again["commit_sha"]) == ("succeeded", first["commit_sha"])
    assert "one" in pipeline.log(pipeline.jobs(again["run_id"])["show"]["job_id"])
