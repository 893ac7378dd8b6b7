"""What is stored of logs, in per cent of their bytes, once they are packed and their chunks removed."""

from datetime import UTC, datetime, timedelta
from typing import Final

import anyio
import msgspec
import psycopg

from deploy.migrate import run_dbmate
from services.scheduler.pack_logs import pack_logs
from services.scheduler.removal_place import RemovalPlace
from services.scheduler.remove_chunks import remove_chunks
from shared.db import open_pool
from tests.bench.make_log_lines import make_log_lines
from tests.bench.open_bench import Bench
from tests.bench.outcome import Aim, Line, Outcome, at_most, summarize
from tests.bench.store_log_chunks import store_log_chunks

_DATABASE: Final = "bench_log_storage"
_LOGS: Final = 25
_LINES: Final = 20_000
_SMALL_LOGS: Final = 2000
_SMALL_LINES: Final = 60
# Blocks and their words share rows: what the rows take is split as the values are.
_SIZES: Final = """
with block_table as (
    select c.oid
    from pg_partition_tree('log_block') t
    join pg_class c on c.oid = t.relid
    where t.isleaf
        and c.relkind = 'r'
),
block_index as (
    select i.indexrelid, m.amname
    from block_table t
    join pg_index i on i.indrelid = t.oid
    join pg_class c on c.oid = i.indexrelid
    join pg_am m on m.oid = c.relam
),
share as (
    select sum(pg_column_size(b.data))::float8 as data, sum(pg_column_size(b.words))::float8 as words
    from log_block b
)
select
    (select sum(pg_table_size(t.oid)) from block_table t)::float8 * s.data / (s.data + s.words),
    (select sum(pg_table_size(t.oid)) from block_table t)::float8 * s.words / (s.data + s.words),
    (select sum(pg_relation_size(i.indexrelid)) from block_index i where i.amname = 'gin')::float8,
    (select sum(pg_relation_size(i.indexrelid)) from block_index i where i.amname <> 'gin')::float8,
    (select sum(pg_total_relation_size(t.relid)) from pg_partition_tree('log_chunk') t where t.isleaf)::float8
from share s
"""


class _Stored(msgspec.Struct, frozen=True):
    """In per cent of the log."""

    blocks: float
    words: float
    gin: float
    other_indexes: float
    # Until the partition of their day is dropped.
    chunks: float
    seconds_per_20_mb: float


def measure_log_storage(bench: Bench) -> Outcome:
    """Store, pack and clean up logs that came line by line, and others that came at once; then many small ones."""
    lines: list[Line] = []
    for what, logs, count, trickled, has_aim in (
        ("trickled, a line at a time", _LOGS, _LINES, True, True),
        ("burst, 64 KiB at a time", _LOGS, _LINES, False, True),
        (f"many logs of {_SMALL_LINES} lines", _SMALL_LOGS, _SMALL_LINES, False, False),
    ):
        stored = _measure(bench, logs, count, trickled=trickled)
        indexed = stored.blocks + stored.words + stored.gin + stored.other_indexes
        lines += [
            _line(f"{what}: blocks", stored.blocks, at_most(20, stored.blocks, "%") if has_aim else None),
            _line("  words of the blocks", stored.words),
            _line("  index of the words (GIN)", stored.gin),
            _line("  other indexes", stored.other_indexes),
            _line("  all of these", indexed, at_most(50, indexed, "%") if has_aim else None),
            _line("  empty tables of the chunks, until their day is past", stored.chunks),
            Line("  packing 20 MB, reading and storing included", "s", summarize([stored.seconds_per_20_mb])),
        ]
    return Outcome(
        lines,
        "Bytes of tables and indexes by pg_table_size and pg_relation_size after VACUUM, in per cent of the bytes of "
        "log. The chunks' tables are empty then, but their indexes as large as they were: they go with their day's "
        "partition. Lines are as pip, pytest, Maven, compilers and servers print them, some with a request id each.",
    )


def _line(what: str, value: float, aim: Aim | None = None) -> Line:
    return Line(what, "%", summarize([value]), aim=aim)


def _measure(bench: Bench, logs: int, count: int, *, trickled: bool) -> _Stored:
    bench.drop_database(_DATABASE)
    bench.create_database(_DATABASE)
    dsn = bench.stack.postgres.dsn(_DATABASE)
    try:
        run_dbmate(dsn, "migrate")
        with psycopg.connect(dsn, autocommit=True) as connection:
            made = (list(make_log_lines(count, seed=seed)) for seed in range(logs))
            total = store_log_chunks(connection, made, trickled=trickled)
            seconds = anyio.run(_pack, dsn)
            connection.execute("vacuum (analyze) log_chunk")
            connection.execute("vacuum (analyze) log_block")
            (sizes,) = connection.execute(_SIZES.encode()).fetchall()
        blocks, words, gin, other, chunks = (100 * size / total for size in sizes)
        return _Stored(blocks, words, gin, other, chunks, seconds * 20e6 / total)
    finally:
        bench.drop_database(_DATABASE)


async def _pack(dsn: str) -> float:
    """Do both duties until nothing is left to do; returns the seconds that packing took."""
    async with open_pool(dsn, name="bench", max_size=2) as pool:
        began = anyio.current_time()
        while await pack_logs(pool) == 0:
            pass
        took = anyio.current_time() - began
        place = RemovalPlace()
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        while await remove_chunks(pool, 1, place, now=tomorrow) < 1:
            pass
        return took
