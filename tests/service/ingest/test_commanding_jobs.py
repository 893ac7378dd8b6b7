"""Commands about jobs and queues: what is written for the scheduler, and what is refused before it is."""

from typing import Any

import pytest

from services.executor.finish_jobs import AttemptEnd
from shared.queries.models import AttemptOutcome
from tests.engine import Engine
from tests.service.ingest.door import Door
from tests.service.ingest.publishing import ANYTHING, enqueue, enqueue_many, finish, publish, take
from tests.service.ingest.scribe import start_scribe

BROKEN = AttemptEnd(AttemptOutcome.ERRORED, error="no luck", reason="ValueError", retry_in_seconds=5)
NO_ID = "01234567-89ab-7def-8123-456789abcdef"


@pytest.fixture
async def notes(door: Door, engine: Engine) -> Door:
    await publish(engine, note=ANYTHING, other=ANYTHING)
    return door


async def command_of(door: Door, answer: Any) -> dict[str, Any]:
    """Return the command that an answer leads to."""
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"].endswith(answer.json()["command_id"])
    return dict((await door.get(answer.headers["location"], role="viewer")).json())


async def test_a_command_about_a_job_says_who_gave_it_and_why(notes: Door) -> None:
    job_id = await enqueue(notes)
    notes.sql("update job set state = 'dead', finished_at = now()")
    for verb, kind in (("redrive", "redrive_jobs"), ("discard", "discard_jobs")):
        answer = await notes.post(f"/api/v1/jobs/{job_id}/{verb}", {"why": "fixed"}, role="developer")
        command = await command_of(notes, answer)
        assert (command["kind"], command["job_id"], command["run_id"]) == (kind, str(job_id), None)
        assert (command["given_by"], command["why"]) == ("token:developer", "fixed")
        assert (command["applied_at"], command["outcome"]) == (None, None)


async def test_a_command_about_a_job_is_refused_in_the_wrong_state(notes: Door, engine: Engine) -> None:
    job_id = await enqueue(notes)
    for verb in ("redrive", "discard"):
        answer = await notes.post(f"/api/v1/jobs/{job_id}/{verb}")
        assert (answer.status_code, "ready" in answer.json()["detail"]) == (409, True)
    notes.sql("update job set state = 'succeeded', finished_at = now()")
    for verb in ("cancel", "redrive", "discard"):
        assert (await notes.post(f"/api/v1/jobs/{job_id}/{verb}")).status_code == 409
        assert (await notes.post(f"/api/v1/jobs/{NO_ID}/{verb}")).status_code == 404
    scribe = await start_scribe(engine)
    answer = await notes.post(f"/api/v1/jobs/{scribe.job.job_id}/redrive")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:howdah:problem:in-run")
    assert notes.sql("select count(*) from command") == [(0,)]


async def test_a_command_about_many_jobs_carries_its_filter(notes: Door) -> None:
    wanted = {"type": "note", "states": ["dead"], "metadata": {"order": 7}, "enqueued_before": "2030-01-01T00:00:00Z"}
    for verb in ("redrive", "discard"):
        answer = await notes.post(f"/api/v1/jobs/{verb}", {"filter": wanted, "why": "fixed"}, role="developer")
        command = await command_of(notes, answer)
        assert (command["kind"], command["job_filter"], command["why"]) == (f"{verb}_jobs", wanted, "fixed")
    answer = await notes.post("/api/v1/jobs/cancel", {"filter": {"queue": "default"}}, role="developer")
    assert (await command_of(notes, answer))["job_filter"] == {"queue": "default"}


async def test_a_dry_run_counts_what_the_command_would_mean_and_asks_for_nothing(notes: Door, engine: Engine) -> None:
    executor_id = await engine.add_executor(job_types=["note", "other"])
    await enqueue_many(notes, [{"type": "note", "max_attempts": 1}] * 2 + [{"type": "other", "max_attempts": 1}])
    for job_type in ("note", "other"):
        for row in await take(engine, executor_id, job_type):
            await finish(engine, executor_id, row, BROKEN)
    await enqueue_many(
        notes,
        [
            {"type": "note", "metadata": {"order": 7}},
            {"type": "note", "delay_seconds": 60},
            {"type": "note", "concurrency_key": "k"},
        ],
    )
    await start_scribe(engine)

    async def count(verb: str, **wanted: Any) -> int:
        answer = await notes.post(f"/api/v1/jobs/{verb}", {"filter": wanted, "dry_run": True}, role="developer")
        assert answer.status_code == 200, answer.text
        return int(answer.json()["jobs"])

    assert await count("redrive", type="note") == 2
    assert await count("redrive", queue="default") == 3
    assert await count("redrive", reason="ValueError", type="other") == 1
    assert await count("redrive", states=["canceled"]) == 0
    assert await count("discard", type="note") == 2
    assert await count("cancel", type="note") == 3
    assert await count("cancel", queue="default") == 3
    assert await count("cancel", states=["scheduled"]) == 1
    assert await count("cancel", concurrency_key="k") == 1
    assert await count("cancel", metadata={"order": 7}) == 1
    assert await count("cancel", enqueued_before="2001-01-01T00:00:00Z") == 0
    assert await count("cancel", enqueued_after="2001-01-01T00:00:00Z") == 3
    assert notes.sql("select count(*) from command") == [(0,)]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "filter"),
        ({"filter": {}}, "filter"),
        ({"filter": {"type": None, "states": []}}, "filter"),
        ({"filter": {"colour": "red"}}, "filter.colour"),
        ({"filter": {"states": ["lost"]}}, "filter.states[0]"),
        ({"filter": {"states": ["succeeded"]}}, "filter.states"),
        ({"filter": {"type": "a\0"}}, "filter.type"),
        ({"filter": {"type": ""}}, "filter.type"),
        ({"filter": {"metadata": {"a": "\0"}}}, "filter.metadata.a"),
        ({"filter": {"metadata": 3}}, "filter.metadata"),
        ({"filter": {"enqueued_after": "2026-01-01T00:00:00"}}, "filter.enqueued_after"),
        ({"filter": {"type": "note"}, "why": "a\nb"}, "why"),
    ],
)
@pytest.mark.parametrize("verb", ["cancel", "redrive", "discard"])
async def test_a_bad_filter_is_told_by_field_and_asks_for_nothing(
    shared_door: Door, verb: str, body: dict[str, Any], field: str
) -> None:
    answer = await shared_door.post(f"/api/v1/jobs/{verb}", body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field), answer.text
    assert shared_door.sql("select count(*) from command") == [(0,)]


async def test_a_queue_is_paused_and_resumed_by_command(notes: Door) -> None:
    for verb in ("pause", "resume"):
        answer = await notes.post(f"/api/v1/queues/mail/{verb}", {"why": "mail is down"}, role="developer")
        command = await command_of(notes, answer)
        assert (command["kind"], command["queue"], command["why"]) == (f"{verb}_queue", "mail", "mail is down")
    answer = await notes.post("/api/v1/queues/a%20b/pause")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "queue")


async def test_queues_tell_what_is_in_them_who_serves_them_and_who_paused_them(notes: Door, engine: Engine) -> None:
    await enqueue_many(notes, [{"type": "note"}, {"type": "other"}, {"type": "note", "delay_seconds": 60}])
    await engine.add_executor(queues=["default", "empty"])
    notes.sql(
        "insert into queue values ('mail', '2026-01-02T03:04:05Z', 'token:ada', 'down'), ('resumed', null, null, null)"
    )
    queues = {
        queue.pop("queue"): queue for queue in (await notes.get("/api/v1/queues", role="viewer")).json()["queues"]
    }
    free = {"paused_at": None, "paused_by": None, "why": None}
    assert queues == {
        "default": {"jobs": {"ready": 2, "scheduled": 1}, "executors": 1, **free},
        "empty": {"jobs": {}, "executors": 1, **free},
        "mail": {
            "jobs": {}, "executors": 0, "paused_at": "2026-01-02T03:04:05Z", "paused_by": "token:ada", "why": "down",
        },
        "resumed": {"jobs": {}, "executors": 0, **free},
    }  # fmt: skip


async def test_the_report_adds_what_was_folded_and_what_has_changed_since(notes: Door, engine: Engine) -> None:
    executor_id = await engine.add_executor(job_types=["note"])
    await enqueue_many(notes, [{"type": "note", "max_attempts": 1}] * 3 + [{"type": "other", "queue": "slow"}])
    # As the scheduler folds.
    notes.sql("insert into job_count select lane_id, state, sum(jobs) from job_count_change group by 1, 2")
    notes.sql("delete from job_count_change")
    rows = await take(engine, executor_id, "note", slots=2)
    await finish(engine, executor_id, rows[0], BROKEN)
    await start_scribe(engine)
    report = (await notes.get("/api/v1/jobs/report", role="viewer")).json()
    assert (report["total"], report["dead_letters"]) == (4, 1)
    assert {state: jobs for state, jobs in report["jobs"].items() if jobs} == {"ready": 2, "running": 1, "dead": 1}
    counted = {(entry["type"], entry["queue"]): entry for entry in report["types"]}
    assert counted["note", "default"]["jobs"] == {"ready": 1, "running": 1, "dead": 1}
    assert counted["other", "slow"]["jobs"] == {"ready": 1}
    ((oldest,),) = notes.sql("select to_json(min(run_at)) #>> '{}' from job where state = 'ready'")
    assert report["ready_since"][:19] == oldest[:19]
    assert counted["note", "default"]["ready_since"][:19] == oldest[:19]
