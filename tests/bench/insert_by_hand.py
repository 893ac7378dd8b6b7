"""What somebody would do by hand to keep a log in PostgreSQL: insert its bytes, 64 KiB a row, over one connection."""

import hashlib
import time
from typing import Final

import psycopg

from tests.bench.open_bench import BenchError

_ROW_BYTES: Final = 64 * 1024


class HandLog:
    """A connection and a table of its own, as bare as can be, and durable as the server's settings come."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        connection.execute(
            "create table bench_log (id bigint generated always as identity primary key, data bytea not null)"
        )

    def insert(self, log: bytes, *, rows_at_once: int) -> float:
        """Insert a log, so many rows in each statement and transaction; returns the seconds.

        Raises `BenchError` when it does not come back as it was.
        """
        self._connection.execute("truncate bench_log")
        pieces = [log[start : start + _ROW_BYTES] for start in range(0, len(log), _ROW_BYTES)]
        began = time.perf_counter()
        for first in range(0, len(pieces), rows_at_once):
            self._connection.execute(
                "insert into bench_log (data) select unnest(%b::bytea[])",
                [pieces[first : first + rows_at_once]],
                prepare=True,
            )
        took = time.perf_counter() - began
        rows = self._connection.execute("select data from bench_log order by id").fetchall()
        if hashlib.sha256(b"".join(data for (data,) in rows)).digest() != hashlib.sha256(log).digest():
            raise BenchError("the rows inserted by hand are not what was inserted")
        return took
