"""`GET /jobs/{job}/events`: every move of a job that lasts is told once, on whichever replica; then the end."""

import pytest

from services.executor.finish_jobs import AttemptEnd
from shared.queries.models import AttemptOutcome
from tests.engine import Engine
from tests.service.ingest.door import Door, open_door
from tests.service.ingest.ears import Heard, listen
from tests.service.ingest.publishing import ANYTHING, enqueue, finish, publish, take

RETRIED = AttemptEnd(AttemptOutcome.ERRORED, error="no luck", reason="ValueError", retry_in_seconds=3600)


@pytest.fixture
async def notes(door: Door, engine: Engine) -> Door:
    await publish(engine, note=ANYTHING)
    return door


def progress(door: Door, job_id: object, epoch: int, fraction: float) -> None:
    door.sql(
        """
        insert into job_progress (job_id, epoch, fraction, message, updated_at)
        values (%s, %s, %s, 'x', clock_timestamp())
        on conflict (job_id) do update
        set epoch = excluded.epoch, fraction = excluded.fraction, updated_at = excluded.updated_at
        """,
        job_id,
        epoch,
        fraction,
    )


def told(heard: Heard | None) -> tuple[str, object]:
    assert heard is not None
    return heard.name, heard.data.get("fraction", heard.data.get("state"))


async def test_states_progress_and_the_end_are_told_in_order(notes: Door, engine: Engine) -> None:
    executor_id = await engine.add_executor(job_types=["note"])
    job_id = await enqueue(notes)
    async with listen(notes, f"/api/v1/jobs/{job_id}/events") as ears:
        assert told(await ears.next()) == ("state", "ready")
        (row,) = await take(engine, executor_id, "note")
        assert told(await ears.next()) == ("state", "running")
        progress(notes, job_id, 1, 0.5)
        assert told(await ears.next()) == ("progress", 0.5)
        progress(notes, job_id, 1, 0.75)
        assert told(await ears.next()) == ("progress", 0.75)
        await finish(engine, executor_id, row, RETRIED)
        heard = await ears.next()
        assert told(heard) == ("state", "scheduled")
        assert heard is not None
        assert (heard.data["reason"], heard.data["attempts_used"]) == ("retry", 1)
        notes.sql("update job set state = 'ready', reason = null")
        (row,) = await take(engine, executor_id, "note")
        await take(engine, executor_id, "note", slots=0, done=[row])
        rest = await ears.rest()
    assert [told(heard) for heard in rest[-2:]] == [("state", "succeeded"), ("end", "succeeded")]


async def test_whoever_comes_back_is_told_what_is_new_and_nothing_twice(notes: Door, engine: Engine) -> None:
    executor_id = await engine.add_executor(job_types=["note"])
    job_id = await enqueue(notes)
    path = f"/api/v1/jobs/{job_id}/events"
    (row,) = await take(engine, executor_id, "note")
    progress(notes, job_id, 1, 0.5)
    async with listen(notes, path) as ears:
        assert [told(heard) for heard in await ears.take(2)] == [("state", "running"), ("progress", 0.5)]
        last_id = ears.last_id
    async with open_door(notes.database, notes.tokens) as other:
        async with listen(other, path, last_id=last_id) as ears:
            progress(notes, job_id, 1, 0.75)
            assert told(await ears.next()) == ("progress", 0.75)
            last_id = ears.last_id
        await take(engine, executor_id, "note", slots=0, done=[row])
        async with listen(other, path, last_id=last_id) as ears:
            assert [told(event) for event in await ears.rest()] == [("state", "succeeded"), ("end", "succeeded")]
            last_id = ears.last_id
        async with listen(other, path, last_id=last_id) as ears:
            assert [told(event) for event in await ears.rest()] == [("end", "succeeded")]


async def test_a_job_that_is_removed_ends_its_stream(notes: Door) -> None:
    job_id = await enqueue(notes)
    async with listen(notes, f"/api/v1/jobs/{job_id}/events") as ears:
        assert told(await ears.next()) == ("state", "ready")
        notes.sql("delete from job")
        assert [told(event) for event in await ears.rest()] == [("end", "ready")]


async def test_what_is_no_event_of_a_job_is_refused(shared_door: Door) -> None:
    path = "/api/v1/jobs/01234567-89ab-7def-8123-456789abcdef/events"
    assert (await shared_door.get(path)).status_code == 404


@pytest.mark.parametrize("last_id", ["x", "1-running", "1-RUNNING-0", "-1-ready-0", "1-ready-" + "9" * 30])
async def test_an_id_that_is_none_is_refused(notes: Door, last_id: str) -> None:
    job_id = await enqueue(notes)
    answer = await notes.get(f"/api/v1/jobs/{job_id}/events", **{"last-event-id": last_id})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "Last-Event-ID")
