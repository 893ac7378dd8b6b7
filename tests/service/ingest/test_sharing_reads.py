"""However many clients follow a log, each chunk of it is read once; who does not read costs little and slows nobody."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio
import pytest

from services.ingest import feed_all_logs, feed_logs, read_chunks
from services.ingest.feed_logs import LogFeeds
from services.ingest.read_log_states import read_states
from shared.db import open_pool
from shared.logs.find_level import Level
from tests.database import TestDatabase
from tests.engine import SUCCEEDED, Engine
from tests.service.ingest.crowd import gather_crowd
from tests.service.ingest.door import Door
from tests.service.ingest.ears import listen
from tests.service.ingest.packing import pack, remove_chunks
from tests.service.ingest.scribe import run_of, start_scribe

T = TypeVar("T")
CLIENTS = 500
WRITES = 10


class Reads:
    """Counts the rows that queries return, by the query."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.queries = 0
        self.rows = 0
        for module, name in (
            (read_chunks, "read_log_chunks"),
            (read_chunks, "read_log_block"),
            (feed_logs, "read_new_chunks"),
            (feed_all_logs, "stream_log_chunks"),
        ):
            monkeypatch.setattr(module, name, self._counted(getattr(module, name)))

    def _counted(self, read: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def counted(*args: Any, **kwargs: Any) -> Any:
            found = await read(*args, **kwargs)
            self.queries += 1
            self.rows += len(found) if isinstance(found, list) else 1
            return found

        return counted


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    return Reads(monkeypatch)


@pytest.mark.parametrize("kind", ["job", "run", "everything"])
async def test_each_chunk_is_read_once_for_all_who_follow(door: Door, engine: Engine, reads: Reads, kind: str) -> None:
    scribe = await start_scribe(engine)
    path = {
        "job": scribe.path,
        "run": f"/api/v1/stream/runs/{run_of(engine, scribe.job.job_id)}/logs",
        "everything": "/api/v1/stream/logs",
    }[kind]
    async with gather_crowd(door, path, CLIENTS if kind == "job" else 100) as crowd:
        for number in range(WRITES):
            await scribe.write(b"line %d\n" % number)
            # All have it before there is more: the worst case, as many pages as there are chunks.
            for listener in crowd:
                await listener.until(b'"line %d\\n"' % number)
    assert reads.rows == WRITES
    assert reads.queries <= 2 * WRITES


async def test_a_finished_log_is_read_once_for_all_who_come_for_it(door: Door, engine: Engine, reads: Reads) -> None:
    scribe = await start_scribe(engine)
    for number in range(50):
        await scribe.write((b"%d " % number) * 10_000 + b"\n")
    await engine.finish(scribe.executor_id, scribe.job, SUCCEEDED)
    await pack(engine, scribe.job.job_id)
    remove_chunks(engine)
    ((blocks,),) = engine.sql("select count(*) from log_block")
    assert blocks > 3

    async def hear_all() -> None:
        async with listen(door, scribe.path) as ears:
            heard = await ears.rest()
        assert [event.event_id for event in heard] == [*(f"1-{seq}" for seq in range(1, len(heard))), None]

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(hear_all)
    assert reads.queries == blocks


async def test_who_does_not_read_keeps_nobody_waiting(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    async with (
        gather_crowd(door, scribe.path, 20),  # they read no further
        gather_crowd(door, "/api/v1/stream/logs", 5),
        listen(door, scribe.path) as ears,
    ):
        total = 0
        for number in range(200):
            await scribe.write((b"%03d " % number) * 15_000 + b"\n")
        await scribe.write(b"the end\n")
        while (heard := await ears.next()) is not None and heard.data["text"] != "the end\n":
            total += len(heard.data["text"])
        assert total == 200 * 60_001


async def test_a_filter_can_begin_beyond_what_is_known_to_be_there(database: TestDatabase, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    await scribe.write(b"first\n")
    job_id = scribe.job.job_id
    async with open_pool(database.dsn("ingest"), name="test", max_size=2) as pool:
        # As of a replica that has not looked since; another one has told its reader of more.
        known = (await read_states(pool, [job_id]))[job_id].attempts[0]
        await scribe.write(b"ERROR: goes ")
        await scribe.write(b"on", stderr=True)
        with anyio.fail_after(20):
            line_filter = await LogFeeds(pool).begin_filter(job_id, known, 3, Level.ERROR)
        await scribe.write(b"and on\n")
        ((seq,),) = engine.sql("select last_seq from attempt")
        page = await LogFeeds(pool).next_page(job_id, (await read_states(pool, [job_id]))[job_id].attempts[0], seq - 1)
        assert [line.text for line in line_filter.feed(page.since(seq - 1)[0])] == ["and on"]
