"""Streams while logs are packed and their chunks removed: nothing is missing, nothing comes twice; a gap is told."""

import httpx
import pytest

from tests.database import TestDatabase
from tests.engine import SUCCEEDED, Engine
from tests.service.ingest.door import Door, open_door
from tests.service.ingest.ears import listen
from tests.service.ingest.packing import pack, pack_a_stretch, remove_chunks
from tests.service.ingest.scribe import run_of, start_scribe

ALL = "/api/v1/stream/logs"
CHUNKS = 60


@pytest.mark.parametrize("kind", ["job", "run"])
async def test_a_log_comes_whole_while_it_is_packed_and_removed(door: Door, engine: Engine, kind: str) -> None:
    scribe = await start_scribe(engine)
    run_id = run_of(engine, scribe.job.job_id)
    path = scribe.path if kind == "job" else f"/api/v1/stream/runs/{run_id}/logs"
    for number in range(CHUNKS):
        await scribe.write(b"%d %s\n" % (number, b"x" * 30_000))
    await engine.finish(scribe.executor_id, scribe.job, SUCCEEDED)
    engine.sql("update run set state = 'succeeded', finished_at = now()")
    heard: list[str] = []
    last_id: str | None = None

    async def hear(count: int) -> None:
        nonlocal last_id
        async with listen(door, path, last_id=last_id) as ears:
            heard.extend(event.data["text"].split()[0] for event in await ears.take(count))
            last_id = ears.last_id

    async with listen(door, path) as slow:
        await slow.take(1)
        await hear(5)
        while await pack_a_stretch(engine, scribe.job.job_id, page_rows=15):
            await hear(4)
        remove_chunks(engine)
        await hear(7)
        assert len(heard) < CHUNKS
        async with listen(door, path, last_id=last_id) as ears:
            heard.extend(event.data["text"].split()[0] for event in (await ears.rest())[:-1])
        assert heard == [str(number) for number in range(CHUNKS)]
        assert [event.data["text"].split()[0] for event in (await slow.rest())[:-1]] == heard[1:]


async def test_who_resumes_from_before_what_was_removed_is_told_of_the_gap(
    database: TestDatabase, door: Door, engine: Engine
) -> None:
    gone = await start_scribe(engine, "gone")
    async with listen(door, ALL) as ears:
        await gone.write(b"1\n")
        await ears.take(1)
        await gone.write(b"2\n")
        assert [event.data["text"] for event in await ears.take(1)] == ["2\n"]
        newest_id = ears.last_id
        await engine.finish(gone.executor_id, gone.job, SUCCEEDED)
        await pack(engine, gone.job.job_id)
        remove_chunks(engine)
        going_on = await start_scribe(engine, "going on")
        await going_on.write(b"3\n")
        # Who has heard all of it hears of no gap.
        assert [(event.name, event.data["text"]) for event in await ears.take(1)] == [("message", "3\n")]
    ((gone_until,),) = engine.sql("select tx_id || '-' || row_id from log_gone")
    async with listen(door, ALL, last_id=newest_id) as ears:
        assert [event.name for event in await ears.take(1)] == ["message"]
    # This replica may remember what was removed; another one does not.
    async with open_door(database, door.tokens) as other, listen(other, ALL, last_id="0-0") as ears:
        first, second = await ears.take(2)
    assert (first.name, first.data, first.event_id) == ("gap", {"until": gone_until}, None)
    assert second.data["text"] == "3\n"


async def test_a_gap_is_told_once(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine, "kept")
    for number in range(3):
        await scribe.write(b"%d\n" % number)
    engine.sql("update log_gone set tx_id = 1, row_id = 1")
    async with listen(door, ALL, last_id="0-0") as ears:
        names = [event.name for event in await ears.take(4)]
        await scribe.write(b"3\n")
        names += [event.name for event in await ears.take(1)]
    assert names == ["gap", "message", "message", "message", "message"]


async def test_chunks_of_deleted_jobs_end_no_stream(door: Door, engine: Engine) -> None:
    kept, deleted = await start_scribe(engine, "kept"), await start_scribe(engine, "deleted")
    async with listen(door, ALL) as ears:
        await kept.write(b"1\n")
        await ears.take(1)
        last_id = ears.last_id
    for number in range(700):
        await deleted.write(b"%d\n" % number)
    await kept.write(b"2\n")
    engine.sql("delete from run where id = %s", run_of(engine, deleted.job.job_id))
    async with listen(door, ALL, last_id=last_id) as ears:
        assert [event.data["text"] for event in await ears.take(1)] == ["2\n"]


@pytest.mark.parametrize("kind", ["job", "run"])
async def test_a_damaged_block_keeps_nothing_else_from_being_read(door: Door, engine: Engine, kind: str) -> None:
    scribe = await start_scribe(engine)
    run_id = run_of(engine, scribe.job.job_id)
    for number in range(CHUNKS):
        await scribe.write(b"%d %s\n" % (number, b"x" * 30_000))
    await engine.finish(scribe.executor_id, scribe.job, SUCCEEDED)
    engine.sql("update run set state = 'succeeded', finished_at = now()")
    await pack(engine, scribe.job.job_id)
    remove_chunks(engine)
    ((first, last),) = engine.sql(
        "update log_block set data = 'damaged' where first_seq <= 20 and last_seq >= 20 returning first_seq, last_seq"
    )
    left = [number for number in range(CHUNKS) if not first <= number + 1 <= last]
    assert 0 < first - 1 < len(left) < CHUNKS

    async with listen(door, scribe.path if kind == "job" else f"/api/v1/stream/runs/{run_id}/logs") as ears:
        *heard, end = await ears.rest()
    assert [int(event.data["text"].split()[0]) for event in heard] == left
    assert end.name == "end"

    address = f"/api/v1/jobs/{scribe.job.job_id}/log"
    text = await door.get(address)
    assert [int(line.split()[0]) for line in text.text.splitlines()] == left
    lines = await door.get(f"{address}/lines")
    assert [line["number"] for line in lines.json()["lines"]] == left
    with pytest.raises(httpx.HTTPError):
        await door.get(f"{address}/raw")
