"""The streams over all jobs and all events: rows commit out of order, and are told in order, each once."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from tests.database import TestDatabase
from tests.engine import FAILED, SUCCEEDED, Engine
from tests.service.ingest.door import Door, open_door
from tests.service.ingest.ears import listen
from tests.service.ingest.publishing import ANYTHING, enqueue, finish, publish, take
from tests.service.ingest.scribe import run_of, start_scribe, start_scribes

EVENTS = "/api/v1/stream/events"
LOGS = "/api/v1/stream/logs"


def record(connection: "psycopg.Connection[Any]", name: str) -> None:
    connection.execute("insert into audit_event (name, actor, detail) values (%s, 'test', '{}')", [name])
    connection.execute("select ring('event_recorded')")


@contextmanager
def transaction(database: TestDatabase) -> Iterator["psycopg.Connection[Any]"]:
    """An open transaction; the test commits it."""
    with psycopg.connect(database.dsn()) as connection:
        yield connection


async def test_an_event_that_commits_late_is_not_missed_and_comes_first(door: Door, database: TestDatabase) -> None:
    with transaction(database) as early, transaction(database) as late:
        async with listen(door, EVENTS) as ears:
            record(early, "early.begun")
            record(late, "late.begun")
            late.commit()
            record(late, "late.again")
            late.commit()
            early.commit()
            names = [event.data["name"] for event in await ears.take(3)]
    assert names == ["early.begun", "late.begun", "late.again"]


async def test_a_transaction_that_began_before_the_stream_is_not_missed(door: Door, database: TestDatabase) -> None:
    with transaction(database) as early:
        record(early, "early.begun")
        async with listen(door, EVENTS) as ears:
            record(early, "early.again")
            early.commit()
            assert [event.data["name"] for event in await ears.take(2)] == ["early.begun", "early.again"]


async def test_events_go_on_at_another_replica_and_none_comes_twice(database: TestDatabase) -> None:
    async with open_door(database) as one, open_door(database, one.tokens) as other:
        with transaction(database) as writer:
            for number in range(3):
                record(writer, f"event.{number}")
                writer.commit()
            async with listen(one, f"{EVENTS}?after=0-0") as ears:
                names = [event.data["name"] for event in await ears.take(2)]
                last_id = ears.last_id
            record(writer, "event.3")
            writer.commit()
            async with listen(other, EVENTS, last_id=last_id) as ears:
                names += [event.data["name"] for event in await ears.take(2)]
    assert names == [f"event.{number}" for number in range(4)]


async def test_several_events_of_one_transaction_are_told_apart(door: Door, database: TestDatabase) -> None:
    with transaction(database) as writer:
        for number in range(500):
            record(writer, f"event.{number}")
        writer.commit()
    async with listen(door, f"{EVENTS}?after=0-0") as ears:
        heard = await ears.take(250)
        last_id = ears.last_id
    async with listen(door, EVENTS, last_id=last_id) as ears:
        heard += await ears.take(250)
    assert [event.data["name"] for event in heard] == [f"event.{number}" for number in range(500)]


async def test_events_of_one_run_only(door: Door, engine: Engine) -> None:
    mine, other = await start_scribe(engine, "mine"), await start_scribe(engine, "other")
    run_id = run_of(engine, mine.job.job_id)
    async with listen(door, f"{EVENTS}?run={run_id}&after=0-0") as ears:
        assert [event.data["name"] for event in await ears.take(2)] == ["run.requested", "job.claimed"]
        await engine.finish(other.executor_id, other.job, SUCCEEDED)
        await engine.finish(mine.executor_id, mine.job, SUCCEEDED)
        (event,) = await ears.take(1)
    assert event.data["name"] == "job.finished"
    assert event.data["run_id"] == str(run_id)
    assert event.data["job_key"] == "mine"
    assert event.data["detail"]["state"] == "succeeded"


async def test_a_stream_of_events_begins_now_unless_asked(door: Door, database: TestDatabase) -> None:
    with transaction(database) as writer:
        record(writer, "before")
        writer.commit()
        async with listen(door, EVENTS) as ears:
            record(writer, "after")
            writer.commit()
            assert [event.data["name"] for event in await ears.take(1)] == ["after"]


@pytest.mark.parametrize("notify", ["on", "off"])
async def test_the_logs_of_all_jobs_come_with_their_jobs(database: TestDatabase, engine: Engine, notify: str) -> None:
    engine.sql(f"alter database {database.name} set howdah.notify = '{notify}'")
    async with open_door(database) as door:
        first, second = await start_scribes(engine, ["first", "second"])
        await first.write(b"before\n")
        async with listen(door, LOGS) as ears:
            await first.write(b"1\n")
            await second.write(b"2\n")
            await first.write(b"3\n", stderr=True)
            heard = await ears.take(3)
            last_id = ears.last_id
        assert [(event.data["job_key"], event.data["text"]) for event in heard] == [
            ("first", "1\n"),
            ("second", "2\n"),
            ("first", "3\n"),
        ]
        assert heard[0].data["job_id"] == str(first.job.job_id)
        assert heard[0].data["run_id"] == str(run_of(engine, first.job.job_id))
        await second.write(b"4\n")
        async with listen(door, LOGS, last_id=last_id) as ears:
            assert [event.data["text"] for event in await ears.take(1)] == ["4\n"]


async def test_chunks_that_commit_late_are_not_missed(door: Door, engine: Engine, database: TestDatabase) -> None:
    scribe = await start_scribe(engine)
    with transaction(database) as slow:
        async with listen(door, LOGS) as ears:
            slow.execute("select pg_current_xact_id()")  # an older transaction, which may yet write
            await scribe.write(b"after\n")
            slow.execute(
                """
                insert into log_chunk (
                    day, job_id, epoch, seq, step, stream, first_line, continues, line_offsets_ms, recorded_at, data
                ) values ((now() at time zone 'utc')::date, %s, 7, 1, 0, 1, 0, false, '{0}', now(), 'slow')
                """,
                [scribe.job.job_id],
            )
            slow.commit()
            assert [event.data["text"] for event in await ears.take(2)] == ["slow", "after\n"]


async def test_a_job_on_its_own_that_ends_badly_is_told_among_all_events(door: Door, engine: Engine) -> None:
    await publish(engine, note=ANYTHING)
    executor_id = await engine.add_executor(job_types=["note"])
    async with listen(door, EVENTS) as ears:
        job_id = await enqueue(door, max_attempts=1)
        (row,) = await take(engine, executor_id, "note")
        await finish(engine, executor_id, row, FAILED)
        heard = await ears.next()
    assert heard is not None
    assert (heard.data["name"], heard.data["job_id"], heard.data["job_key"]) == ("job.finished", str(job_id), "note")
    assert (heard.data["run_id"], heard.data["detail"]["state"]) == (None, "failed")
