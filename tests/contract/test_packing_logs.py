"""Packing: whoever reads finds the whole log at any moment; what is packed is found by its words; nothing is lost."""

from datetime import timedelta
from typing import Any

import anyio
import pytest

from deploy.migrate import MIGRATIONS, run_dbmate
from services.scheduler.pack_logs import pack_log, pack_logs
from services.scheduler.removal_place import RemovalPlace
from services.scheduler.remove_chunks import remove_chunks
from services.scheduler.remove_logs import remove_logs
from shared.db import in_transaction
from shared.logs.find_level import Level
from shared.logs.split_words import number_words
from tests.engine import SUCCEEDED, Engine, open_engine
from tests.stored_logs import START, StoredLog, add_log, make_chunks, read_log

HOUR = timedelta(hours=1)
# Three blocks, their borders within lines; three streams; what is no text.
LONG = make_chunks(
    [
        (-1, 0, b"Howdah says\n"),
        *(
            (step, stream, b"%d \xff\x00 caf\xc3\xa9 %d " % (step, stream) + bytes([65 + step]) * 60_000 + b"\nhalf")
            for step in range(4)
            for stream in (1, 2, 1)
        ),
    ]
)


def state(engine: Engine, log: StoredLog) -> tuple[Any, ...]:
    (row,) = engine.sql("select log_state, packed_seq, log_retention from attempt where job_id = %s", log.job_id)
    return row


def blocks(engine: Engine, log: StoredLog, what: str = "first_seq, last_seq") -> list[tuple[Any, ...]]:
    return engine.sql(f"select {what} from log_block where job_id = %s order by first_seq", log.job_id)


async def pack_all(engine: Engine) -> None:
    while await pack_logs(engine.scheduler) == 0:
        pass


async def test_what_is_packed_is_what_was_written(engine: Engine) -> None:
    log = add_log(engine, LONG)
    await pack_all(engine)
    assert state(engine, log) == ("packed", len(LONG), "short")
    assert len(blocks(engine, log)) >= 3
    assert read_log(engine, log) == LONG


async def test_blocks_follow_one_another_and_say_where_they_are(engine: Engine) -> None:
    log = add_log(engine, LONG)
    await pack_all(engine)
    seq, line, byte = 0, 0, 0
    for first_seq, last_seq, first_line, line_count, first_byte, byte_count, last_at in blocks(
        engine, log, "first_seq, last_seq, first_line, line_count, first_byte, byte_count, last_at"
    ):
        inside = LONG[seq:last_seq]
        assert (first_seq, first_line, first_byte) == (seq + 1, line, byte)
        assert byte_count == sum(len(chunk.data) for chunk in inside)
        assert line_count == sum(len(chunk.line_offsets_ms) for chunk in inside)
        assert last_at == max(
            chunk.recorded_at + timedelta(milliseconds=max(chunk.line_offsets_ms, default=0)) for chunk in inside
        )
        seq, line, byte = last_seq, line + line_count, byte + byte_count
    (totals,) = engine.sql("select last_seq, log_lines, log_bytes from attempt where job_id = %s", log.job_id)
    assert (seq, line, byte) == totals


async def test_whoever_reads_finds_the_whole_log_at_every_moment_of_packing_and_removing(engine: Engine) -> None:
    log = add_log(engine, LONG)
    later = START + 100 * 365 * 24 * HOUR
    states: set[str] = set()
    for _ in range(200):
        states.add(state(engine, log)[0])
        assert read_log(engine, log) == LONG
        await in_transaction(
            engine.scheduler,
            lambda connection: pack_log(connection, job_id=log.job_id, epoch=log.epoch, page_rows=3, page_bytes=1),
        )
        assert read_log(engine, log) == LONG
        await remove_chunks(engine.scheduler, 900, RemovalPlace(), now=later, batch=2)
        if state(engine, log)[0] == "compact":
            break
    assert states == {"open", "packed"}
    assert read_log(engine, log) == LONG
    assert engine.sql("select count(*) from log_chunk") == [(0,)]


async def test_a_stretch_that_is_being_packed_is_seen_by_nobody(engine: Engine) -> None:
    log = add_log(engine, LONG)
    async with engine.scheduler.connection() as connection, connection.transaction(force_rollback=True):
        assert await pack_log(connection, job_id=log.job_id, epoch=log.epoch)
        assert state(engine, log) == ("open", 0, None)
        assert blocks(engine, log) == []
        assert read_log(engine, log) == LONG


async def test_schedulers_at_once_pack_every_log_once(engine: Engine) -> None:
    logs = [add_log(engine, make_chunks([(0, 1, b"line %d\n" % number)] * 5)) for number in range(12)]
    long = add_log(engine, LONG)

    async with anyio.create_task_group() as schedulers:
        for _ in range(3):
            schedulers.start_soon(pack_all, engine)
    for log in [*logs, long]:
        assert state(engine, log)[0] == "packed"
    assert all(len(blocks(engine, log)) == 1 for log in logs)
    assert read_log(engine, long) == LONG


async def test_another_scheduler_at_a_log_is_passed_by(engine: Engine) -> None:
    held, free = add_log(engine, LONG[:2]), add_log(engine, LONG[:2])
    async with engine.executor.connection() as connection, connection.transaction():
        await connection.execute("select from attempt where job_id = %s for update", [held.job_id])
        await pack_all(engine)
    assert (state(engine, held)[0], state(engine, free)[0]) == ("open", "packed")
    await pack_all(engine)
    assert state(engine, held)[0] == "packed"


async def test_a_log_that_goes_on_is_left_alone(engine: Engine) -> None:
    log = add_log(engine, LONG[:2], ended=None)
    nothing = add_log(engine, [])
    await pack_all(engine)
    assert state(engine, log) == ("open", 0, None)
    assert state(engine, nothing) == ("none", 0, None)


async def test_a_log_that_is_older_than_all_partitions_is_packed_too(engine: Engine) -> None:
    log = add_log(engine, LONG[:2], started=START.replace(year=2020, month=1, day=1))
    engine.sql("drop table log_block_short_20200101")
    await pack_all(engine)
    assert read_log(engine, log) == LONG[:2]
    assert engine.sql("select tableoid::regclass::text from log_block") == [("log_block_short_20200101",)]


async def test_chunks_that_are_lacking_do_not_hold_up_the_others(engine: Engine) -> None:
    log, next_log = add_log(engine, LONG), add_log(engine, LONG[:2])
    engine.sql("delete from log_chunk where job_id = %s", log.job_id)
    await pack_all(engine)
    assert state(engine, log)[0] == "packed"
    assert read_log(engine, next_log) == LONG[:2]


@pytest.mark.parametrize("retention", ["short", "standard", "long"])
async def test_a_runs_log_is_kept_as_its_pipeline_says(engine: Engine, retention: str) -> None:
    run_id, jobs = await engine.start_run({"a": []})
    executor = await engine.add_executor()
    (job,) = await engine.claim(executor)
    await engine.finish(executor, job, SUCCEEDED)
    engine.sql("delete from attempt where job_id = %s", jobs["a"])
    engine.sql("update pipeline set log_retention = %s::log_retention", retention)
    log = add_log(engine, LONG, job_id=jobs["a"])
    await pack_all(engine)
    assert state(engine, log)[2] == retention
    assert set(blocks(engine, log, "retention, pipeline_id")) == {
        (retention, pipeline_id) for (pipeline_id,) in engine.sql("select pipeline_id from run where id = %s", run_id)
    }


async def test_the_class_stays_as_it_was_when_packing_began(engine: Engine) -> None:
    _, jobs = await engine.start_run({"a": []})
    log = add_log(engine, LONG, job_id=jobs["a"])

    async def pack_a_stretch() -> None:
        await in_transaction(
            engine.scheduler,
            lambda connection: pack_log(connection, job_id=log.job_id, epoch=log.epoch, page_rows=5, page_bytes=1),
        )

    await pack_a_stretch()
    engine.sql("update pipeline set log_retention = 'long'")
    await pack_a_stretch()
    await pack_all(engine)
    assert {name for (name,) in blocks(engine, log, "retention")} == {"standard"}
    assert read_log(engine, log) == LONG


async def test_the_words_of_a_line_are_together_in_every_block_that_holds_a_part_of_it(engine: Engine) -> None:
    filler = [(0, 1, b"x" * 60_000)] * 4
    chunks = make_chunks(
        [
            (0, 2, b"before\n"),
            *filler,
            (0, 1, b" alpha"),
            (0, 1, b"bet "),
            *filler,
            (0, 1, b" omega\n"),
            (0, 1, b"end\n"),
        ]
    )
    log = add_log(engine, chunks)
    await pack_all(engine)
    (first, second) = (set(words) for (words,) in blocks(engine, log, "words"))
    assert number_words("before alphabet") <= first
    assert number_words("alphabet omega end") <= second
    assert not number_words("alpha") & (first | second)


async def test_levels_and_groups_are_found_alike_in_one_go_and_in_many(engine: Engine) -> None:
    lines = [
        b"::group::first", b"ERROR: one", b"::endgroup::", b"[warn] two", b"x" * 70_000, b"12:00:00 INFO three",
        b"section_start:1:s\r\x1b[0KSecond", b"\x1b[31mError: four\x1b[0m", b"y" * 70_000, b"section_end:2:s", b"five",
        b"::group::third", b"panic: six", b"z" * 150_000,
    ]  # fmt: skip
    pieces = [
        (0, 1, (line + b"\n")[place : place + 50_000]) for line in lines for place in range(0, len(line) + 1, 50_000)
    ]
    at_once, bit_by_bit = add_log(engine, make_chunks(pieces)), add_log(engine, make_chunks(pieces))
    while True:
        packed = await in_transaction(
            engine.scheduler,
            lambda connection: pack_log(
                connection, job_id=bit_by_bit.job_id, epoch=bit_by_bit.epoch, page_rows=2, page_bytes=1
            ),
        )
        if not packed:
            break
    await pack_all(engine)
    outlines = [
        outline
        for log in (at_once, bit_by_bit)
        for (outline,) in engine.sql("select log_outline from attempt where job_id = %s", log.job_id)
    ]
    assert outlines[0] == outlines[1]
    assert outlines[0]["levels"] == {"error": 2, "warning": 1, "info": 1, "fatal": 1}
    assert [(group["name"], group["first_line"], group["line_count"]) for group in outlines[0]["groups"]] == [
        ("first", 0, 3),
        ("Second", 6, 4),
        ("third", 11, 3),
    ]
    assert len(blocks(engine, bit_by_bit)) > len(blocks(engine, at_once))
    for log in (at_once, bit_by_bit):
        assert max(level for (level,) in blocks(engine, log, "top_level")) == Level.FATAL


async def test_chunks_stay_for_a_time_and_are_removed_little_by_little(engine: Engine) -> None:
    log = add_log(engine, LONG)
    await pack_all(engine)
    ((packed_at,),) = engine.sql("select packed_at from attempt where job_id = %s", log.job_id)
    await remove_chunks(engine.scheduler, 900, RemovalPlace(), now=packed_at + timedelta(seconds=899))
    assert engine.sql("select count(*) from log_chunk") == [(len(LONG),)]
    left, gone = len(LONG), (0, 0)
    while state(engine, log)[0] != "compact":
        before = engine.sql("select tx_id, row_id from log_chunk order by tx_id, row_id")
        await remove_chunks(engine.scheduler, 900, RemovalPlace(), now=packed_at + timedelta(seconds=901), batch=5)
        ((now_left,),) = engine.sql("select count(*) from log_chunk")
        assert left - 5 <= now_left < left
        removed = before[: left - now_left]
        assert engine.sql("select tx_id, row_id from log_gone") == [max(removed)]
        assert max(removed) > gone
        left, gone = now_left, max(removed)
    assert left == 0


async def test_the_cursor_of_what_is_gone_never_falls(engine: Engine) -> None:
    add_log(engine, LONG[:3])
    engine.sql("update log_gone set tx_id = %s, row_id = 1", 2**62)
    await pack_all(engine)
    while await remove_chunks(engine.scheduler, 1, RemovalPlace(), now=START + 100 * 365 * 24 * HOUR) < 1:
        pass
    assert engine.sql("select count(*) from log_chunk") == [(0,)]
    assert engine.sql("select tx_id, row_id from log_gone") == [(2**62, 1)]


@pytest.mark.parametrize("packed", [False, True])
async def test_the_log_of_a_deleted_run_goes_too_little_by_little(engine: Engine, *, packed: bool) -> None:
    run_id, jobs = await engine.start_run({"a": []})
    log = add_log(engine, LONG, job_id=jobs["a"])
    kept = add_log(engine, LONG[:3])
    if packed:
        await pack_all(engine)
    engine.sql("delete from run where id = %s", run_id)
    assert engine.sql("select count(*) from attempt where job_id = %s", log.job_id) == [(0,)]
    left = rows_of(engine, log)
    assert left > 10
    while left:
        await remove_logs(engine.scheduler, RemovalPlace(), batch=5)
        assert left - 6 <= rows_of(engine, log) < left
        left = rows_of(engine, log)
    await remove_logs(engine.scheduler, RemovalPlace(), batch=5)
    assert engine.sql("select count(*) from log_removal") == [(0,)]
    assert read_log(engine, kept) == LONG[:3]


def rows_of(engine: Engine, log: StoredLog) -> int:
    ((count,),) = engine.sql(
        """
        select (select count(*) from log_chunk where job_id = %s) + (select count(*) from log_block where job_id = %s)
        """,
        log.job_id,
        log.job_id,
    )
    return int(count)


async def test_what_was_written_before_there_were_blocks_is_packed_too(engine: Engine) -> None:
    log, nothing = add_log(engine, LONG), add_log(engine, [])
    totals = engine.sql("select log_bytes, log_lines from attempt where job_id = %s", log.job_id)
    owner = engine.database.dsn("owner")
    for file in MIGRATIONS.glob("*.sql"):
        if file.name >= "20261125000501":
            run_dbmate(owner, "rollback")
    run_dbmate(owner, "migrate")
    # Its connections knew types that are others now.
    async with open_engine(engine.database) as upgraded:
        assert state(upgraded, log) == ("open", 0, None)
        assert state(upgraded, nothing) == ("none", 0, None)
        assert engine.sql("select log_bytes, log_lines from attempt where job_id = %s", log.job_id) == totals
        await pack_all(upgraded)
        assert read_log(upgraded, log) == LONG
