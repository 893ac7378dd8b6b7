"""The log of one job as events: all of it, once, in order, on any replica, then `end`."""

from functools import partial

import anyio

from services.executor.finish_jobs import AttemptEnd
from services.ingest.feed_logs import LogFeeds
from services.ingest.watch_logs import LogWatch
from shared.db import open_pool
from shared.loop import Bell, run_loop
from shared.queries.models import AttemptOutcome
from shared.stop import Stop
from tests.database import TestDatabase
from tests.engine import FAILED, SUCCEEDED, Engine
from tests.service.ingest.door import Door, open_door
from tests.service.ingest.ears import listen
from tests.service.ingest.scribe import claim_again, start_scribe, start_scribes

HANDED_BACK = AttemptEnd(AttemptOutcome.HANDED_BACK)


async def test_a_log_is_streamed_as_it_grows_and_ends_with_its_job(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    await scribe.write(b"one\ntwo\n")
    async with listen(door, scribe.path) as ears:
        first = await ears.next()
        assert first is not None
        assert first.event_id == "1-1"
        assert first.data["text"] == "one\ntwo\n"
        expected = {"epoch": 1, "seq": 1, "step": 0, "stream": "stdout", "first_line": 0, "continues": False}
        assert expected.items() <= first.data.items()
        assert len(first.data["line_offsets_ms"]) == 2
        await scribe.write(b"three", stderr=True)
        second = await ears.next()
        assert second is not None
        assert (second.event_id, second.data["text"], second.data["first_line"]) == ("1-2", "three", 2)
        await engine.finish(scribe.executor_id, scribe.job, FAILED)
        (end,) = await ears.rest()
        assert (end.name, end.data, end.event_id) == ("end", {"state": "failed"}, None)


async def test_a_finished_log_has_the_same_address(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    for number in range(3):
        await scribe.write(b"%d\n" % number)
    await engine.finish(scribe.executor_id, scribe.job, SUCCEEDED)
    async with listen(door, scribe.path) as ears:
        heard = await ears.rest()
    assert [event.event_id for event in heard] == ["1-1", "1-2", "1-3", None]
    assert heard[-1].name == "end"


async def test_a_job_that_wrote_nothing_ends_at_once(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    await engine.finish(scribe.executor_id, scribe.job, SUCCEEDED)
    async with listen(door, scribe.path) as ears:
        assert [event.name for event in await ears.rest()] == ["end"]


async def test_last_event_id_goes_on_at_another_replica(database: TestDatabase, engine: Engine) -> None:
    async with open_door(database) as one, open_door(database, one.tokens) as other:
        scribe = await start_scribe(engine)
        for number in range(3):
            await scribe.write(b"%d\n" % number)
        async with listen(one, scribe.path) as ears:
            texts = [event.data["text"] for event in await ears.take(2)]
            last_id = ears.last_id
        await scribe.write(b"3\n")
        async with listen(other, scribe.path, last_id=last_id) as ears:
            texts += [event.data["text"] for event in await ears.take(2)]
            await scribe.write(b"4\n")
            await engine.finish(scribe.executor_id, scribe.job, SUCCEEDED)
            texts += [event.data["text"] for event in await ears.rest() if event.name == "message"]
        assert texts == ["0\n", "1\n", "2\n", "3\n", "4\n"]


async def test_every_attempt_is_told_in_turn(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    async with listen(door, scribe.path) as ears:
        await scribe.write(b"first try\n")
        assert [event.event_id for event in await ears.take(1)] == ["1-1"]
        await engine.finish(scribe.executor_id, scribe.job, HANDED_BACK)
        second = await claim_again(engine, scribe)
        await second.write(b"second try\n")
        assert [event.event_id for event in await ears.take(1)] == ["2-1"]
        await engine.finish(second.executor_id, second.job, SUCCEEDED)
        assert [event.name for event in await ears.rest()] == ["end"]


async def test_an_attempt_is_left_only_when_it_has_ended_and_was_delivered(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    await scribe.write(b"old\n")
    # A state that no service makes: a second attempt while the first is open.
    engine.sql(
        """
        insert into attempt (job_id, epoch, executor_id, started_at, log_day, last_seq)
        select job_id, 2, executor_id, started_at, log_day, 1 from attempt
        """
    )
    engine.sql(
        """
        insert into log_chunk (
            day, job_id, epoch, seq, step, stream, first_line, continues, line_offsets_ms, recorded_at, data
        )
        select day, job_id, 2, 1, step, stream, first_line, continues, line_offsets_ms, recorded_at, 'new'
        from log_chunk
        """
    )
    async with listen(door, scribe.path) as ears:
        assert [event.event_id for event in await ears.take(1)] == ["1-1"]
        await scribe.write(b"late\n")
        assert [event.event_id for event in await ears.take(1)] == ["1-2"]
        engine.sql("update attempt set ended_at = now(), outcome = 'lost' where epoch = 1")
        assert [event.event_id for event in await ears.take(1)] == ["2-1"]


async def test_without_notify_the_log_comes_by_polling(database: TestDatabase, engine: Engine) -> None:
    engine.sql(f"alter database {database.name} set howdah.notify = 'off'")
    async with open_door(database) as door:
        scribe = await start_scribe(engine)
        async with listen(door, scribe.path) as ears:
            for number in range(3):
                await scribe.write(b"%d\n" % number)
            assert [event.event_id for event in await ears.take(3)] == ["1-1", "1-2", "1-3"]
            await engine.finish(scribe.executor_id, scribe.job, SUCCEEDED)
            assert [event.name for event in await ears.rest()] == ["end"]


async def test_a_long_log_comes_page_by_page_whole_and_in_order(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    sent = b""
    for number in range(60):
        piece = (b"%d " % number) * 1000 * (1 + number % 30) + b"\n"
        await scribe.write(piece, stderr=bool(number % 3))
        sent += piece
    for number in range(1200):
        await scribe.write(b"%d\n" % number)
        sent += b"%d\n" % number
    await engine.finish(scribe.executor_id, scribe.job, SUCCEEDED)
    async with listen(door, scribe.path) as ears:
        heard = await ears.rest()
    assert "".join(event.data["text"] for event in heard[:-1]).encode() == sent
    seqs = [event.data["seq"] for event in heard[:-1]]
    assert seqs == list(range(1, len(seqs) + 1))


async def test_bytes_that_are_no_text_are_replaced_not_lost(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    await scribe.write("héllo ".encode() + b"\xff\x00\n" + "€\n".encode())
    async with listen(door, scribe.path) as ears:
        (event,) = await ears.take(1)
    assert event.data["text"] == "héllo \ufffd\x00\n€\n"


async def test_a_stream_begins_near_the_end_if_asked(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    for number in range(50):
        await scribe.write(b"%d\n" % number)
    async with listen(door, f"{scribe.path}?tail=5") as ears:
        assert [event.data["text"] for event in await ears.take(5)] == ["45\n", "46\n", "47\n", "48\n", "49\n"]


async def test_pages_get_pieces_of_one_style_and_no_markup(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    await scribe.write(b"\x1b[1;31mred <b>\x1b[0m plain\n")
    async with listen(door, f"{scribe.path}?spans=true") as ears:
        (event,) = await ears.take(1)
    assert event.data["spans"] == [["ansi-bold ansi-fg-red", "red <b>"], ["", " plain\n"]]


async def test_pages_are_told_which_lines_are_marked(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    await scribe.write(b"fine\n\x1b[31mERROR: it broke\x1b[0m\nWARN")
    await scribe.write(b"ING: and more\n[warn] again\nfine\n")
    async with listen(door, f"{scribe.path}?spans=true") as ears:
        first, second = await ears.next(), await ears.next()
        assert first is not None
        assert second is not None
        assert first.data["levels"] == [[1, "error"], [2, "warning"]]
        assert second.data["levels"] == [[3, "warning"]]


async def test_streams_end_when_the_process_is_asked_to_stop(database: TestDatabase, engine: Engine) -> None:
    async with open_door(database) as door:
        scribe = await start_scribe(engine)
        await scribe.write(b"one\n")
        async with (
            listen(door, scribe.path) as ears,
            listen(door, "/api/v1/stream/logs") as all_ears,
            listen(door, "/api/v1/stream/events") as event_ears,
        ):
            await ears.take(1)
            door.stop.request()
            with anyio.fail_after(1):
                assert await ears.rest() == []
                assert await all_ears.rest() == []
                assert await event_ears.rest() == []


async def test_a_stream_outlives_its_database_connections(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    async with listen(door, scribe.path) as ears:
        await scribe.write(b"before\n")
        await ears.take(1)
        engine.sql(
            """
            select pg_terminate_backend(pid) from pg_stat_activity
            where usename = 'howdah_ingest' and datname = current_database()
            """
        )
        await scribe.write(b"after\n")
        assert [event.data["text"] for event in await ears.take(1)] == ["after\n"]


async def test_only_those_are_woken_whose_log_has_grown(database: TestDatabase, engine: Engine) -> None:
    busy, quiet = await start_scribes(engine, ["busy", "quiet"])
    stop = Stop()
    async with open_pool(database.dsn("ingest"), name="test", max_size=1) as pool, anyio.create_task_group() as tasks:
        watch = LogWatch(pool, LogFeeds(pool))
        busy_bell, quiet_bell = Bell(), Bell()
        with watch.follow(busy.job.job_id, busy_bell), watch.follow(quiet.job.job_id, quiet_bell):
            tasks.start_soon(partial(run_loop, "watch logs", watch.look, bell=watch.bell, stop=stop))
            with anyio.fail_after(20):
                await busy_bell.wait(30)
                await quiet_bell.wait(30)
            busy_bell.hush()
            quiet_bell.hush()
            await busy.write(b"x\n")
            watch.bell.ring()
            with anyio.fail_after(20):
                await busy_bell.wait(30)
            # Both are rung by the same look, if at all.
            with anyio.move_on_after(0) as waited:
                await quiet_bell.wait(30)
            assert waited.cancelled_caught
        stop.request()


async def test_the_stream_of_a_deleted_job_ends(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    async with listen(door, scribe.path) as ears:
        engine.sql("delete from pipeline")
        assert [event.name for event in await ears.rest()] == ["end"]


async def test_a_bad_last_event_id_is_refused(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    async with door.client() as client:
        for path in (scribe.path, "/api/v1/stream/logs", "/api/v1/stream/events"):
            for last_id in ("1", "x-y", "1-2-3", "-1-0", f"1-{2**70}", "1-é"):
                assert (await client.get(path, params={"after": last_id})).status_code == 422, path
        # Transaction ids may be as great, epochs may not.
        assert (await client.get(scribe.path, params={"after": f"{2**40}-1"})).status_code == 422


async def test_the_stream_of_an_unknown_job_is_a_404(door: Door) -> None:
    answer = await door.get("/api/v1/stream/logs/01234567-89ab-7def-8123-456789abcdef")
    assert answer.status_code == 404
    assert (await door.get("/api/v1/stream/logs/nonsense")).status_code == 422
