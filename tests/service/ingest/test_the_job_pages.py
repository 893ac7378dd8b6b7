"""The pages of jobs on their own: what they show, that they escape it, and what their buttons ask for."""

import re

import pytest

from services.executor.finish_jobs import AttemptEnd
from shared.queries.models import AttemptOutcome
from tests.engine import Engine
from tests.service.ingest.door import Door
from tests.service.ingest.publishing import ANYTHING, enqueue, enqueue_many, finish, publish, take
from tests.service.ingest.test_the_pages import EVIL, Browser

BROKEN = AttemptEnd(AttemptOutcome.ERRORED, error=f"no luck {EVIL}", reason="ValueError", retry_in_seconds=5)


@pytest.fixture
async def notes(door: Door, engine: Engine) -> Door:
    await publish(engine, note=ANYTHING, other=ANYTHING)
    return door


async def bury(door: Door, engine: Engine, job_type: str = "note", **fields: object) -> str:
    """Enqueue a job, and let it go dead."""
    executor_id = await engine.add_executor(job_types=[job_type])
    job_id = await enqueue(door, job_type, max_attempts=1, **fields)
    (row,) = await take(engine, executor_id, job_type)
    await finish(engine, executor_id, row, BROKEN)
    return str(job_id)


async def test_jobs_are_shown_with_their_counts_and_filtered(notes: Door, engine: Engine) -> None:
    browser = Browser(notes, "viewer")
    assert "No jobs yet" in await browser.get("/jobs")
    dead = await bury(notes, engine)
    await enqueue_many(
        notes, [{"type": "other", "queue": "slow"}, {"type": "note", "concurrency_key": EVIL, "labels": ["gpu"]}]
    )
    text = await browser.get("/jobs")
    assert all(f"/jobs?state={state}" in text for state in ("dead", "ready", "blocked"))
    assert EVIL not in text
    assert "waits for its concurrency key" in text
    shown = await browser.get("/jobs?state=dead&type=note&queue=default")
    assert f"/jobs/{dead}" in shown
    assert "other</a>" not in shown
    assert "No jobs match" in await browser.get("/jobs?type=nothing")
    assert "No jobs match" in await browser.get("/jobs?concurrency_key=a%00b")
    assert f"/jobs/{dead}" in await browser.get("/jobs?state=nonsense")


async def test_older_jobs_are_a_page_away_with_the_same_filter(notes: Door) -> None:
    await enqueue_many(notes, [{"type": "note", "queue": "slow", "priority": number} for number in range(35)])
    browser = Browser(notes, "viewer")
    first = await browser.get("/jobs?queue=slow")
    link = re.search(r'rel="next" href="([^"]+)"', first)
    assert link is not None
    assert "queue=slow" in link[1]
    second = await browser.get(link[1].replace("&amp;", "&"))
    assert "priority 34" in first
    assert "priority 34" not in second
    assert "priority 1 " in second


async def test_a_job_is_shown_with_payload_attempts_and_errors_all_escaped(notes: Door, engine: Engine) -> None:
    job_id = await bury(notes, engine, payload={"text": EVIL}, metadata={EVIL: 1}, idempotency_key=EVIL)
    text = await Browser(notes, "viewer").get(f"/jobs/{job_id}")
    assert EVIL not in text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text
    assert "ValueError" in text
    assert "no luck" in text
    assert "1 of 1" in text
    assert f'data-job="{job_id}"' in text
    assert "Redrive" not in text
    assert "Redrive" in await Browser(notes, "developer").get(f"/jobs/{job_id}")


async def test_a_long_payload_is_cut_off_on_the_page(notes: Door) -> None:
    job_id = await enqueue(notes, payload=["x" * 1000] * 100)
    assert len(await Browser(notes, "viewer").get(f"/jobs/{job_id}")) < 60_000


async def test_buttons_ask_for_what_they_say_and_lead_back(notes: Door, engine: Engine) -> None:
    dead = await bury(notes, engine)
    waiting = await enqueue(notes, "other")
    browser = Browser(notes, "developer")
    for path, fields, back in (
        (f"/jobs/{waiting}/cancel", {}, f"/jobs/{waiting}"),
        (f"/jobs/{dead}/redrive", {"back": "/jobs?state=dead"}, "/jobs?state=dead"),
        (f"/jobs/{dead}/discard", {"back": "https://example.org/"}, f"/jobs/{dead}"),
        ("/dead-letters/redrive", {"type": "note", "back": "//example.org"}, "/jobs"),
        ("/dead-letters/discard", {"queue": "default"}, "/jobs"),
        ("/queues/default/pause", {"why": "down"}, "/jobs"),
        ("/queues/default/resume", {}, "/jobs"),
    ):
        answer = await browser.press(path, **fields)
        assert (answer.status_code, answer.headers["location"]) == (303, back), answer.text
    given = notes.sql(
        "select kind::text, job_id::text, queue, job_filter, given_by, why from command order by given_at, id"
    )
    by = "token:developer"
    assert given == [
        ("cancel_job", str(waiting), None, None, by, ""),
        ("redrive_jobs", dead, None, None, by, ""),
        ("discard_jobs", dead, None, None, by, ""),
        ("redrive_jobs", None, None, {"type": "note", "states": ["dead"]}, by, ""),
        ("discard_jobs", None, None, {"queue": "default", "states": ["dead"]}, by, ""),
        ("pause_queue", None, "default", None, by, "down"),
        ("resume_queue", None, "default", None, by, ""),
    ]


async def test_a_form_of_another_site_changes_nothing(notes: Door, engine: Engine) -> None:
    dead = await bury(notes, engine)
    browser = Browser(notes, "developer")
    for path in (f"/jobs/{dead}/redrive", "/dead-letters/discard", "/queues/default/pause"):
        answer = await browser.press(path, csrf="x")
        assert answer.status_code == 403
    assert notes.sql("select count(*) from command") == [(0,)]


async def test_queues_show_who_paused_them(notes: Door) -> None:
    await enqueue(notes)
    notes.sql("insert into queue values ('default', now(), 'token:ada', %s)", EVIL)
    text = await Browser(notes, "developer").get("/jobs")
    assert "Paused by ada" in text
    assert "/queues/default/resume" in text
    assert EVIL not in text
    assert "/queues/default/resume" not in await Browser(notes, "viewer").get("/jobs")
