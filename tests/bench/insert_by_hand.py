"""What somebody would do by hand to keep a log in PostgreSQL: insert its bytes, 64 KiB a row, over one connection."""

import hashlib
import time
from typing import Final

import msgspec
import psycopg

from tests.bench.open_bench import BenchError

_ROW_BYTES: Final = 64 * 1024


class HandWay(msgspec.Struct, frozen=True):
    """How it is done: so many rows in each statement and transaction, and whether the server compresses them.

    It does so unless it is told not to.
    """

    rows_at_once: int
    compressed: bool = True


class HandLog:
    """A connection and a table of its own, as bare as can be, and durable as the server's settings come."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        connection.execute(
            "create table bench_log (id bigint generated always as identity primary key, data bytea not null)"
        )

    def insert(self, log: bytes, way: HandWay) -> float:
        """Insert a log; returns the ms. Raises `BenchError` when it does not come back as it was."""
        self._connection.execute("truncate bench_log")
        storage = "extended" if way.compressed else "external"
        self._connection.execute(f"alter table bench_log alter column data set storage {storage}".encode())
        pieces = [log[start : start + _ROW_BYTES] for start in range(0, len(log), _ROW_BYTES)]
        began = time.perf_counter()
        for first in range(0, len(pieces), way.rows_at_once):
            self._connection.execute(
                "insert into bench_log (data) select unnest(%b::bytea[])",
                [pieces[first : first + way.rows_at_once]],
                prepare=True,
            )
        took = time.perf_counter() - began
        rows = self._connection.execute("select data from bench_log order by id").fetchall()
        if hashlib.sha256(b"".join(data for (data,) in rows)).digest() != hashlib.sha256(log).digest():
            raise BenchError("the rows inserted by hand are not what was inserted")
        return took * 1000
