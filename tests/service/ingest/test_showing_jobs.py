"""`GET /jobs/{job}`: all that is known of a job on its own, at every stage; and waiting for its end."""

from typing import Any

import anyio
import pytest

from services.executor.finish_jobs import AttemptEnd
from shared.queries.models import AttemptOutcome
from tests.engine import Engine
from tests.service.ingest.door import Door
from tests.service.ingest.publishing import ANYTHING, enqueue, finish, publish, take

RETRIED = AttemptEnd(AttemptOutcome.ERRORED, error="no luck", reason="ValueError", retry_in_seconds=3600)
DONE = AttemptEnd(AttemptOutcome.SUCCEEDED, result={"sent": 3})
SNOOZED = AttemptEnd(AttemptOutcome.SNOOZED, retry_in_seconds=3600)


@pytest.fixture
async def notes(door: Door, engine: Engine) -> Door:
    await publish(engine, note=ANYTHING)
    return door


async def shown(door: Door, job_id: object) -> dict[str, Any]:
    answer = await door.get(f"/api/v1/jobs/{job_id}", role="viewer")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_a_job_is_shown_as_it_was_enqueued(notes: Door) -> None:
    job_id = await enqueue(
        notes, payload={"b": 1, "a": [1.5, "é"]}, idempotency_key="k", metadata={"m": 1}, retry={"factor": 3},
        concurrency_key="tenant",
    )  # fmt: skip
    job = await shown(notes, job_id)
    assert (job["payload"], job["metadata"], job["retry"]["factor"]) == ({"b": 1, "a": [1.5, "é"]}, {"m": 1}, 3.0)
    assert (job["idempotency_key"], job["concurrency_key"], job["enqueued_by"]) == ("k", "tenant", "token:admin")
    assert (job["job_type"], job["queue"], job["redrives"], job["attempts"]) == ("note", "default", 0, [])
    assert (job["result"], job["progress"], job["canceled_by"]) == (None, None, None)
    assert job["waits_for"] == "waits for the scheduler to release it for the concurrency key tenant, 1st in line"


async def test_every_attempt_is_shown_also_those_without_a_row_of_their_own(notes: Door, engine: Engine) -> None:
    executor_id = await engine.add_executor(job_types=["note"])
    job_id = await enqueue(notes)
    (row,) = await take(engine, executor_id, "note")
    assert [(t["epoch"], t["outcome"], t["ended_at"]) for t in (await shown(notes, job_id))["attempts"]] == [
        (1, None, None)
    ]
    await finish(engine, executor_id, row, RETRIED)
    job = await shown(notes, job_id)
    assert (job["state"], job["error"], len(job["attempts"])) == ("scheduled", "no luck", 1)
    assert job["waits_for"].endswith("try 2 of 3")
    notes.sql("update job set state = 'ready', reason = null")
    (row,) = await take(engine, executor_id, "note")
    await finish(engine, executor_id, row, SNOOZED)
    assert (await shown(notes, job_id))["waits_for"].startswith("has put itself off until")
    notes.sql("update job set state = 'ready', reason = null")
    (row,) = await take(engine, executor_id, "note")
    assert notes.sql("select count(*) from attempt") == [(2,)]
    await take(engine, executor_id, "note", slots=0, done=[row])
    job = await shown(notes, job_id)
    assert [(t["epoch"], t["outcome"], t["executor_name"]) for t in job["attempts"]] == [
        (1, "errored", "test"), (2, "snoozed", "test"), (3, "succeeded", "test"),
    ]  # fmt: skip
    assert job["attempts"][2]["ended_at"] == job["finished_at"]
    assert notes.sql("select count(*) from attempt") == [(2,)]


async def test_progress_and_result_are_those_of_the_newest_attempt(notes: Door, engine: Engine) -> None:
    executor_id = await engine.add_executor(job_types=["note"])
    job_id = await enqueue(notes)
    (row,) = await take(engine, executor_id, "note")
    notes.sql("insert into job_progress (job_id, epoch, fraction, message) values (%s, 1, 0.5, 'half')", job_id)
    progress = (await shown(notes, job_id))["progress"]
    assert (progress["fraction"], progress["message"]) == (0.5, "half")
    await finish(engine, executor_id, row, RETRIED)
    notes.sql("update job set state = 'ready', reason = null")
    (row,) = await take(engine, executor_id, "note")
    assert (await shown(notes, job_id))["progress"] is None
    await finish(engine, executor_id, row, DONE)
    assert (await shown(notes, job_id))["result"] == {"sent": 3}


async def test_what_a_ready_job_waits_for_is_told(notes: Door, engine: Engine) -> None:
    job_id = await enqueue(notes, labels=["gpu"])
    assert "none that is alive has the handler note" in (await shown(notes, job_id))["waits_for"]
    await engine.add_executor(job_types=["other"], labels=["gpu"])
    await engine.add_executor(job_types=["note"])
    assert "none that is alive has the handler note" in (await shown(notes, job_id))["waits_for"]
    await engine.add_executor(job_types=["note"], labels=["gpu"])
    assert (await shown(notes, job_id))["waits_for"] == "is next, as soon as a slot of 1 executor is free"
    notes.sql("insert into queue values ('default', now(), 'token:ada', 'mail is down')")
    assert "which token:ada paused at" in (await shown(notes, job_id))["waits_for"]


async def test_who_canceled_a_job_and_why_is_told(notes: Door) -> None:
    job_id = await enqueue(notes)
    answer = await notes.post(f"/api/v1/jobs/{job_id}/cancel", {"why": "not needed"}, role="developer")
    assert answer.status_code == 202
    # As the scheduler does it.
    notes.sql(
        "update job set state = 'canceled', reason = 'canceled', cancel_requested_at = now(), finished_at = now()"
    )
    job = await shown(notes, job_id)
    assert (job["canceled_by"], job["cancel_why"]) == ("token:developer", "not needed")


async def test_waiting_for_a_job_ends_with_the_job(notes: Door, engine: Engine) -> None:
    executor_id = await engine.add_executor(job_types=["note"])
    job_id = await enqueue(notes)
    (row,) = await take(engine, executor_id, "note")
    answers: list[dict[str, Any]] = []

    async def wait() -> None:
        answers.append((await notes.get(f"/api/v1/jobs/{job_id}?wait_seconds=60")).json())

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await until_watched(notes)
            await take(engine, executor_id, "note", slots=0, done=[row])
    assert answers[0]["state"] == "succeeded"
    # Of one that has ended, nothing is waited for.
    assert (await notes.get(f"/api/v1/jobs/{job_id}?wait_seconds=60")).json()["state"] == "succeeded"


async def test_waiting_is_over_at_its_time(notes: Door) -> None:
    job_id = await enqueue(notes)
    answer = await notes.get(f"/api/v1/jobs/{job_id}?wait_seconds=0.01")
    assert (answer.status_code, answer.json()["state"]) == (200, "ready")


async def test_waiting_is_over_when_the_process_stops(notes: Door) -> None:
    job_id = await enqueue(notes)
    answers: list[Any] = []

    async def wait() -> None:
        answers.append(await notes.get(f"/api/v1/jobs/{job_id}?wait_seconds=60"))

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await until_watched(notes)
            notes.stop.request()
    assert answers[0].json()["state"] == "ready"


async def until_watched(door: Door) -> None:
    """Return when a replica has read the states of jobs, as it does once somebody waits for one."""
    reading = "select 1 from pg_stat_activity where query like '-- name: ReadJobStates%%'"
    with anyio.fail_after(20):
        while True:
            if door.sql(reading):
                return
            await anyio.sleep(0.01)


@pytest.mark.parametrize("seconds", ["-1", "61", "x", "nan"])
async def test_a_time_to_wait_has_its_bounds(shared_door: Door, seconds: str) -> None:
    path = "/api/v1/jobs/01234567-89ab-7def-8123-456789abcdef"
    answer = await shared_door.get(f"{path}?wait_seconds={seconds}")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "wait_seconds")
    assert (await shared_door.get(f"{path}?wait_seconds=60")).status_code == 404
