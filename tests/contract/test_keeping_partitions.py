"""Partitions of logs: there before they are needed, dropped when nobody needs them, and nobody waits for either."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import anyio
import psycopg
import pytest

from services.scheduler.keep_partitions import LogDays, keep_partitions
from services.scheduler.pack_logs import pack_log, pack_logs
from services.scheduler.queries.pack_logs import make_log_block_partition
from services.scheduler.removal_place import RemovalPlace
from services.scheduler.remove_chunks import remove_chunks
from shared.ids import new_id
from shared.queries.models import LogRetention
from tests.await_lock import await_lock
from tests.contract.own_jobs import enqueue
from tests.engine import Engine
from tests.stored_logs import add_log, make_chunks, read_log

NOW = datetime(2031, 3, 12, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
KEEP_ALL = LogDays(short=0, standard=0, long=0)
CHUNKS = make_chunks([(0, 1, b"a line\n")] * 3)


async def keep(engine: Engine, days: LogDays = KEEP_ALL, now: datetime = NOW) -> None:
    """Look until there is nothing to drop."""
    while await keep_partitions(engine.scheduler, days, now=now) < 1:
        pass


def partitions(engine: Engine, parent: str) -> list[str]:
    return sorted(
        name.removeprefix(f"{parent}_")
        for (name,) in engine.sql(
            "select inhrelid::regclass::text from pg_inherits where inhparent = %s::regclass", parent
        )
    )


async def test_there_are_partitions_for_the_coming_days_by_day_week_and_month(engine: Engine) -> None:
    await keep_partitions(engine.scheduler, KEEP_ALL, now=NOW)
    days = [f"{date(2031, 3, 11) + number * DAY:%Y%m%d}" for number in range(9)]
    assert partitions(engine, "log_chunk")[-9:] == days
    assert partitions(engine, "log_block_short")[-9:] == days
    assert partitions(engine, "log_block_standard")[-2:] == ["20310310", "20310317"]
    assert partitions(engine, "log_block_long")[-1:] == ["20310301"]


async def test_what_is_there_is_not_made_again(engine: Engine) -> None:
    await keep(engine)
    before = engine.sql("select oid from pg_class order by oid")
    await keep(engine)
    assert engine.sql("select oid from pg_class order by oid") == before


async def test_a_new_partition_has_all_that_its_siblings_have(engine: Engine) -> None:
    await keep(engine)

    def shape(table: str) -> list[tuple[Any, ...]]:
        return engine.sql(
            """
            select a.attname::text, a.attnotnull, a.attstorage::text, pg_get_expr(d.adbin, d.adrelid)
            from pg_attribute a
            left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
            where a.attrelid = %s::regclass
                and a.attnum > 0
            union all
            select 'index', i.indisunique, i.indisprimary::text, m.amname::text || coalesce(c.reloptions::text, '')
            from pg_index i
            join pg_class c on c.oid = i.indexrelid
            join pg_am m on m.oid = c.relam
            where i.indrelid = %s::regclass
            union all
            select 'check', true, '', pg_get_constraintdef(k.oid)
            from pg_constraint k
            where k.conrelid = %s::regclass
                and k.contype = 'c'
            order by 1, 4
            """,
            table,
            table,
            table,
        )

    for parent, child in (("log_chunk", "20310312"), ("log_block", "short_20310312"), ("log_block", "long_20310301")):
        assert shape(f"{parent}_{child}") == shape(parent)


async def test_making_partitions_waits_for_no_reader(engine: Engine) -> None:
    async with engine.scheduler.connection() as connection, connection.transaction():
        await connection.execute("select from attempt")
        await connection.execute("lock table log_chunk in access share mode")
        await keep_partitions(engine.scheduler, KEEP_ALL, now=NOW)
    assert "20310312" in partitions(engine, "log_chunk")


async def test_chunks_of_a_past_day_are_dropped_once_all_of_it_is_in_blocks(engine: Engine) -> None:
    then = NOW - 3 * DAY
    log = add_log(engine, CHUNKS, started=then, ended=then)
    await keep(engine)
    assert "20310309" in partitions(engine, "log_chunk")
    await pack_logs(engine.scheduler)
    await keep(engine)
    assert "20310309" in partitions(engine, "log_chunk")
    while await remove_chunks(engine.scheduler, 1, RemovalPlace(), now=datetime(2100, 1, 1, tzinfo=UTC)) < 1:
        pass
    await keep(engine)
    assert partitions(engine, "log_chunk")[0] == "20310311"
    assert read_log(engine, log) == CHUNKS


async def test_an_attempt_that_goes_on_keeps_its_day(engine: Engine) -> None:
    then = NOW - 5 * DAY
    add_log(engine, CHUNKS, started=then, ended=None)
    await keep(engine)
    assert "20310307" in partitions(engine, "log_chunk")


async def test_a_running_job_that_has_said_nothing_yet_keeps_its_day(engine: Engine) -> None:
    (job_id,) = enqueue(engine, {})
    then = NOW - 5 * DAY
    engine.sql("select make_log_partitions(0, %s)", then)
    engine.sql(
        "update job set state = 'running', executor_id = %s, claim_epoch = 1, claimed_at = %s where id = %s",
        new_id(),
        then,
        job_id,
    )
    await keep(engine)
    assert "20310307" in partitions(engine, "log_chunk")
    assert "20310306" not in partitions(engine, "log_chunk")


async def test_a_chunk_that_nobody_reads_any_more_is_told_to_be_gone(engine: Engine) -> None:
    then = NOW - 3 * DAY
    log = add_log(engine, CHUNKS, started=then, ended=then)
    newest = max(engine.sql("select tx_id, row_id from log_chunk"))
    engine.sql("delete from job where id = %s", log.job_id)
    await keep(engine)
    assert engine.sql("select count(*) from log_chunk") == [(0,)]
    assert engine.sql("select tx_id, row_id from log_gone") == [newest]


@pytest.mark.parametrize(
    ("retention", "days", "last_day", "partition"),
    [
        # What is dropped by the day, the week or the month is kept until the last of it is old enough.
        ("short", LogDays(short=7, standard=0, long=0), date(2031, 3, 1), "20310301"),
        ("standard", LogDays(short=0, standard=30, long=0), date(2031, 1, 19), "20310113"),
        ("long", LogDays(short=0, standard=0, long=365), date(2030, 1, 31), "20300101"),
    ],
)
async def test_blocks_are_kept_for_as_long_as_their_class_says(
    engine: Engine, retention: str, days: LogDays, last_day: date, partition: str
) -> None:
    kept_days = {"short": days.short, "standard": days.standard, "long": days.long}[retention]
    on_the_last_day = datetime(last_day.year, last_day.month, last_day.day, 12, tzinfo=UTC)
    log = add_log(engine, CHUNKS, started=on_the_last_day, ended=on_the_last_day)
    engine.sql("update attempt set log_retention = %s::log_retention where job_id = %s", retention, log.job_id)
    await pack_logs(engine.scheduler)
    midnight = datetime(last_day.year, last_day.month, last_day.day, tzinfo=UTC) + DAY
    due = midnight + timedelta(days=kept_days)
    await keep(engine, days, due - timedelta(seconds=1))
    assert partition in partitions(engine, f"log_block_{retention}")
    assert engine.sql("select count(*) from log_block") == [(1,)]
    await keep(engine, KEEP_ALL, due + 5000 * DAY)
    assert engine.sql("select count(*) from log_block") == [(1,)]
    await keep(engine, days, due)
    assert partition not in partitions(engine, f"log_block_{retention}")
    assert engine.sql("select count(*) from log_block") == [(0,)]


async def test_a_partition_that_somebody_reads_is_left_for_later_and_the_others_go(engine: Engine) -> None:
    engine.sql("select make_log_partitions(0, %s)", NOW - 10 * DAY)
    engine.sql("select make_log_partitions(0, %s)", NOW - 20 * DAY)
    async with engine.scheduler.connection() as connection, connection.transaction():
        await connection.execute("lock table log_chunk in access share mode")
        await keep(engine, LogDays(short=1, standard=0, long=0))
        assert "20310302" in partitions(engine, "log_chunk")
        assert "20310302" not in partitions(engine, "log_block_short")
    await keep(engine)
    assert "20310302" not in partitions(engine, "log_chunk")


async def test_a_partition_is_not_dropped_between_being_looked_for_and_being_stored_into(engine: Engine) -> None:
    old = NOW - 20 * DAY
    log = add_log(engine, CHUNKS, started=old, ended=old)
    engine.sql("select make_log_partitions(0, %s)", old)
    drop_at_once = LogDays(short=1, standard=0, long=0)
    async with engine.scheduler.connection() as connection, connection.transaction():
        assert not await make_log_block_partition(connection, retention=LogRetention.SHORT, log_day=log.day)
        await keep(engine, drop_at_once)
        assert "20310220" in partitions(engine, "log_block_short")
        assert await pack_log(connection, job_id=log.job_id, epoch=log.epoch)
    assert read_log(engine, log) == CHUNKS
    await keep(engine, drop_at_once)
    assert engine.sql("select count(*) from log_block") == [(0,)]


async def test_a_partition_that_is_dropped_while_it_is_looked_for_is_made_anew(engine: Engine) -> None:
    old = NOW - 20 * DAY
    engine.sql("select make_log_partitions(0, %s)", old)
    made: list[bool] = []

    async def look() -> None:
        async with engine.scheduler.connection() as connection:
            made.append(await make_log_block_partition(connection, retention=LogRetention.SHORT, log_day=old.date()))

    async with anyio.create_task_group() as packers:
        with psycopg.connect(engine.database.dsn()) as dropper:
            dropper.execute("drop table log_block_short_20310220")
            packers.start_soon(look)
            await await_lock(engine.database, "make_log_block_partition")
    assert made == [True]
    assert "20310220" in partitions(engine, "log_block_short")
