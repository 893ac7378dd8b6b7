"""`GET /jobs`: every filter, in every way that its rows can be found, in pages that miss nothing and repeat nothing."""

from typing import Any
from urllib.parse import urlencode

import pytest

from services.executor.finish_jobs import AttemptEnd
from services.ingest import find_jobs
from shared.queries.models import AttemptOutcome
from tests.engine import Engine
from tests.service.ingest.door import Door
from tests.service.ingest.publishing import ANYTHING, enqueue, enqueue_many, finish, publish, take
from tests.service.ingest.scribe import start_scribe

JOBS = "/api/v1/jobs"
BROKEN = AttemptEnd(AttemptOutcome.ERRORED, error="no luck", reason="ValueError", retry_in_seconds=5)
WRONG = AttemptEnd(AttemptOutcome.FAILED, error="never", reason="PermanentError")


@pytest.fixture
async def notes(door: Door, engine: Engine) -> Door:
    await publish(engine, note=ANYTHING, other=ANYTHING)
    return door


async def found(door: Door, **filters: Any) -> list[str]:
    """Return the ids of all pages, two a page."""
    ids: list[str] = []
    cursor: str | None = None
    while True:
        parameters = {**filters, "limit": 2} | ({"cursor": cursor} if cursor else {})
        answer = await door.get(f"{JOBS}?{urlencode(parameters, doseq=True)}", role="viewer")
        assert answer.status_code == 200, answer.text
        page = answer.json()
        ids += [job["job_id"] for job in page["jobs"]]
        cursor = page["next"]
        if cursor is None:
            return ids


async def test_jobs_are_listed_newest_first_and_those_of_runs_apart(notes: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    ids = await enqueue_many(notes, [{"type": "note", "payload": number} for number in range(5)])
    assert await found(notes) == ids[::-1]
    ((run_id,),) = notes.sql("select run_id from job where id = %s", scribe.job.job_id)
    assert str(scribe.job.job_id) in await found(notes, run=run_id)
    assert not set(ids) & set(await found(notes, run=run_id))


async def test_each_filter_finds_its_jobs_and_no_others(notes: Door) -> None:
    plain, other, queued, keyed, tagged, late, limited = await enqueue_many(
        notes,
        [
            {"type": "note"},
            {"type": "other"},
            {"type": "note", "queue": "slow"},
            {"type": "note", "idempotency_key": "k 1"},
            {"type": "note", "metadata": {"order": 7, "tags": ["a", "b"]}},
            {"type": "note", "delay_seconds": 3600},
            {"type": "note", "concurrency_key": "tenant"},
        ],
    )
    everything = [limited, late, tagged, keyed, queued, other, plain]
    assert await found(notes, type="other") == [other]
    assert await found(notes, queue="slow") == [queued]
    assert await found(notes, type="note", idempotency_key="k 1") == [keyed]
    assert await found(notes, type="other", idempotency_key="k 1") == []
    assert await found(notes, metadata='{"order": 7}') == [tagged]
    assert await found(notes, metadata='{"tags": ["b"]}') == [tagged]
    assert await found(notes, metadata='{"tags": ["c"]}') == []
    assert await found(notes, state="scheduled") == [late]
    assert await found(notes, reason="asked") == [late]
    assert await found(notes, reason="limit") == [limited]
    assert await found(notes, concurrency_key="tenant") == [limited]
    assert await found(notes, concurrency_key="nobody") == []
    assert await found(notes, state=["scheduled", "blocked"]) == [limited, late]
    assert await found(notes, state="ready", type="note", queue="default") == [tagged, keyed, plain]
    ((between,),) = notes.sql("select to_json(created_at) from job where id = %s", plain)
    assert await found(notes, enqueued_after=between) == everything
    assert await found(notes, enqueued_before=between) == []
    assert await found(notes, enqueued_after="2001-01-01T00:00:00Z", enqueued_before="2001-01-02T00:00:00Z") == []


async def test_ends_are_found_by_state_reason_and_time(notes: Door, engine: Engine) -> None:
    executor_id = await engine.add_executor(job_types=["note"])
    good, bad, dead, waits = await enqueue_many(
        notes, [{"type": "note", "max_attempts": 1, "priority": priority} for priority in (1, 1, 1, 0)]
    )
    rows = {str(row.job_id): row for row in await take(engine, executor_id, "note", slots=3)}
    await finish(engine, executor_id, rows[bad], WRONG)
    await finish(engine, executor_id, rows[dead], BROKEN)
    await take(engine, executor_id, "note", slots=0, done=[rows[good]])
    assert await found(notes, state="succeeded") == [good]
    assert await found(notes, state=["failed", "dead"]) == [dead, bad]
    assert await found(notes, reason="ValueError") == [dead]
    assert await found(notes, state=["dead", "ready"]) == [waits, dead]
    assert await found(notes, finished_after="2001-01-01T00:00:00Z") == [dead, bad, good]
    assert await found(notes, finished_before="2001-01-01T00:00:00Z") == []
    letters = (await notes.get("/api/v1/dead-letters", role="viewer")).json()["jobs"]
    assert [(letter["job_id"], letter["error"], letter["reason"]) for letter in letters] == [
        (dead, "no luck", "ValueError")
    ]
    assert (await notes.get("/api/v1/dead-letters?type=other")).json() == {"jobs": [], "next": None}


@pytest.mark.parametrize(
    "filters",
    [
        {"queue": "slow"},
        {"state": ["ready"], "queue": "slow"},
        {"state": ["canceled"], "queue": "slow"},
        {"metadata": '{"all": 1}', "queue": "slow"},
    ],
)
async def test_what_is_rare_is_found_although_no_look_goes_beyond_its_bounds(
    notes: Door, monkeypatch: pytest.MonkeyPatch, filters: dict[str, Any]
) -> None:
    monkeypatch.setattr(find_jobs, "_WINDOW_ROWS", 7)
    monkeypatch.setattr(find_jobs, "_MOST_CANDIDATES", 7)
    monkeypatch.setattr(find_jobs, "_MOST_WINDOWS", 2)
    ids = await enqueue_many(
        notes,
        [
            {"type": "note", "metadata": {"all": 1}, "queue": "slow" if number in {0, 1, 2, 30, 59} else "default"}
            for number in range(60)
        ],
    )
    if filters.get("state") == ["canceled"]:
        notes.sql("update job set state = 'canceled', finished_at = now()")
    assert await found(notes, **filters) == [ids[number] for number in (59, 30, 2, 1, 0)]
    first = (await notes.get(f"{JOBS}?{urlencode({**filters, 'limit': 5}, doseq=True)}")).json()
    assert len(first["jobs"]) < 5
    assert first["next"] is not None


async def test_a_page_is_stable_while_jobs_come_in(notes: Door) -> None:
    ids = await enqueue_many(notes, [{"type": "note"}] * 4)
    first = (await notes.get(f"{JOBS}?limit=2")).json()
    await enqueue(notes)
    second = (await notes.get(f"{JOBS}?limit=2&cursor={first['next']}")).json()
    assert [job["job_id"] for job in first["jobs"] + second["jobs"]] == ids[::-1]
    assert second["next"] is None


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("state=lost", "state"),
        ("metadata=3", "metadata"),
        ("metadata=", "metadata"),
        ("metadata=%7B", "metadata"),
        ("metadata=%7B%22a%22%3ANaN%7D", "metadata.a"),
        ("metadata=%7B%22a%22%3A%22%5Cu0000%22%7D", "metadata.a"),
        ("type=a%00b", "type"),
        ("queue=a%00b", "queue"),
        ("idempotency_key=x", "idempotency_key"),
        ("enqueued_after=2026-01-01T00:00:00", "enqueued_after"),
        ("finished_before=soon", "finished_before"),
        ("run=x", "run"),
        ("cursor=x", "cursor"),
        ("cursor=IjEi", "cursor"),
        ("limit=0", "limit"),
    ],
)
async def test_a_bad_filter_is_told_by_name(shared_door: Door, query: str, field: str) -> None:
    answer = await shared_door.get(f"{JOBS}?{query}")
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"].startswith(field)
