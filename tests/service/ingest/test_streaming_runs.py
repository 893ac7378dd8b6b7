"""The logs of a run as one stream: every job and attempt, live or finished, each chunk once, then `end`."""

from collections.abc import Iterable

from shared.ids import RunId
from tests.database import TestDatabase
from tests.engine import FAILED, SUCCEEDED, Engine
from tests.service.ingest.door import Door, open_door
from tests.service.ingest.ears import Heard, listen
from tests.service.ingest.packing import pack, remove_chunks
from tests.service.ingest.scribe import Scribe, claim_again, run_of, start_scribe, start_scribes
from tests.service.ingest.test_streaming_logs import HANDED_BACK


def path_of(run_id: RunId) -> str:
    return f"/api/v1/stream/runs/{run_id}/logs"


def told(events: Iterable[Heard], key: str) -> str:
    """What was told of a job."""
    return "".join(event.data["text"] for event in events if event.data.get("job_key") == key)


def end_run(engine: Engine, run_id: RunId) -> None:
    engine.sql("update run set state = 'succeeded', finished_at = now() where id = %s", run_id)
    engine.sql("select ring('event_recorded')")


async def end_job(engine: Engine, scribe: Scribe) -> None:
    await engine.finish(scribe.executor_id, scribe.job, SUCCEEDED)


async def test_the_logs_of_all_jobs_come_as_they_grow_and_then_the_end(door: Door, engine: Engine) -> None:
    first, second = await start_scribes(engine, ["first", "second"])
    run_id = run_of(engine, first.job.job_id)
    await first.write(b"before\n")
    async with listen(door, path_of(run_id)) as ears:
        (event,) = await ears.take(1)
        expected = {"job_key": "first", "job_id": str(first.job.job_id), "run_id": str(run_id), "text": "before\n"}
        assert expected.items() <= event.data.items()
        await second.write(b"2\n")
        await first.write(b"1\n", stderr=True)
        heard = await ears.take(2)
        assert {(event.data["job_key"], event.data["text"]) for event in heard} == {("second", "2\n"), ("first", "1\n")}
        await end_job(engine, first)
        await second.write(b"3\n")
        assert told(await ears.take(1), "second") == "3\n"
        await end_job(engine, second)
        end_run(engine, run_id)
        (end,) = await ears.rest()
        assert (end.name, end.data) == ("end", {"state": "succeeded"})


async def test_a_stream_goes_on_anywhere_at_another_replica(database: TestDatabase, engine: Engine) -> None:
    scribes = await start_scribes(engine, [f"job{number}" for number in range(5)])
    run_id = run_of(engine, scribes[0].job.job_id)
    for number in range(4):
        for scribe in scribes:
            await scribe.write(b"%d\n" % number)
    for scribe in scribes[:3]:
        await end_job(engine, scribe)
    await pack(engine, scribes[0].job.job_id)
    remove_chunks(engine)
    heard: list[Heard] = []
    last_id: str | None = None
    async with open_door(database) as one, open_door(database, one.tokens) as other:
        for number in range(20):
            async with listen((one, other)[number % 2], path_of(run_id), last_id=last_id) as ears:
                heard += await ears.take(1)
                last_id = ears.last_id
        await scribes[4].write(b"more\n")
        for scribe in scribes[3:]:
            await end_job(engine, scribe)
        end_run(engine, run_id)
        async with listen(other, path_of(run_id), last_id=last_id) as ears:
            heard += await ears.rest()
    assert heard.pop().name == "end"
    for number, scribe in enumerate(scribes):
        more = "more\n" if scribe is scribes[4] else ""
        assert told(heard, f"job{number}") == "0\n1\n2\n3\n" + more


async def test_every_attempt_of_a_job_is_told(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    run_id = run_of(engine, scribe.job.job_id)
    async with listen(door, path_of(run_id)) as ears:
        await scribe.write(b"first try\n")
        assert [event.data["epoch"] for event in await ears.take(1)] == [1]
        await engine.finish(scribe.executor_id, scribe.job, HANDED_BACK)
        second = await claim_again(engine, scribe)
        await second.write(b"second try\n")
        assert [event.data["epoch"] for event in await ears.take(1)] == [2]
        await end_job(engine, second)
        end_run(engine, run_id)
        assert [event.name for event in await ears.rest()] == ["end"]


async def test_jobs_that_the_plan_adds_later_are_told(door: Door, engine: Engine) -> None:
    pipeline_id = engine.add_pipeline()
    run_id, plan_job_id = engine.request_run(pipeline_id)
    async with listen(door, path_of(run_id)) as ears:
        # As a planner does, with a job whose id is lower than that of the plan job.
        engine.sql("update job set state = 'succeeded', finished_at = now(), settled = true where id = %s", plan_job_id)
        engine.sql(
            """
            with inserted as (
                insert into job (id, run_id, kind, lane_id, state, run_at, claim_order, settled)
                select
                    '00000000-0000-7000-8000-000000000001', run_id, 'shell', lane_of('shell', 'default', '', '{}'),
                    'ready', now(), 0, false
                from job
                returning id
            )
            insert into job_spec (job_id, key, position, needs, timeout_seconds, spec)
            select i.id, 'late', 0, '{}', 60, '{"type": "shell", "steps": [{"name": "a", "run": "true"}]}'
            from inserted i
            """
        )
        executor_id = await engine.add_executor()
        (job,) = await engine.claim(executor_id)
        late = Scribe(engine, executor_id, job)
        await late.write(b"late\n")
        (event,) = await ears.take(1)
        assert (event.data["job_key"], event.data["text"]) == ("late", "late\n")
        await engine.finish(executor_id, job, FAILED)
        engine.sql("update run set state = 'failed', finished_at = now(), started_at = now()")
        engine.sql("select ring('event_recorded')")
        assert [event.data for event in await ears.rest()] == [{"state": "failed"}]


async def test_a_busy_job_keeps_no_other_waiting(door: Door, engine: Engine) -> None:
    busy, quiet = await start_scribes(engine, ["busy", "quiet"])
    run_id = run_of(engine, busy.job.job_id)
    for number in range(40):
        await busy.write((b"%d " % number) * 15_000)
    await quiet.write(b"quiet\n")
    async with listen(door, path_of(run_id)) as ears:
        keys = [event.data["job_key"] for event in await ears.take(15)]
    assert "quiet" in keys


async def test_the_stream_of_a_deleted_run_ends(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    async with listen(door, path_of(run_of(engine, scribe.job.job_id))) as ears:
        engine.sql("delete from pipeline")
        engine.sql("select ring('event_recorded')")
        assert [event.name for event in await ears.rest()] == ["end"]


async def test_an_unknown_run_and_a_bad_cursor_are_refused(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    path = path_of(run_of(engine, scribe.job.job_id))
    assert (await door.get("/api/v1/stream/runs/01234567-89ab-7def-8123-456789abcdef/logs")).status_code == 404
    assert (await door.get("/api/v1/stream/runs/nonsense/logs")).status_code == 422
    async with door.client() as client:
        for last_id in ("1-2", "!!", "AgAA", "é", "A" * 40_000):
            assert (await client.get(path, params={"after": last_id})).status_code == 422, last_id[:9]


async def test_only_lines_of_a_level_if_asked(door: Door, engine: Engine) -> None:
    first, second = await start_scribes(engine, ["first", "second"])
    run_id = run_of(engine, first.job.job_id)
    await first.write(b"INFO: a\nERROR: b\n")
    await second.write(b"plain\n")
    await second.write(b"FATAL: ")
    await second.write(b"c\n")
    async with listen(door, f"{path_of(run_id)}?level=error") as ears:
        heard = await ears.take(3)
        last_id = ears.last_id
    assert {
        (event.data["job_key"], line["number"], line["text"]) for event in heard for line in event.data["lines"]
    } == {
        ("first", 1, "ERROR: b"),
        ("second", 1, "FATAL: "),
        ("second", 1, "c"),
    }
    await second.write(b"ERROR: d\n")
    async with listen(door, f"{path_of(run_id)}?level=error", last_id=last_id) as ears:
        assert [event.data["lines"][0]["text"] for event in await ears.take(1)] == ["ERROR: d"]
    assert (await door.get(f"{path_of(run_id)}?level=loud")).status_code == 422
