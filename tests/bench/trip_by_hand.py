"""The least that a row's way from one process to another through PostgreSQL costs: insert, NOTIFY, LISTEN, select."""

import time

import psycopg

from tests.bench.open_bench import BenchError


class HandTrip:
    """Two connections and a table of their own, as bare as can be."""

    def __init__(self, sender: psycopg.Connection, reader: psycopg.Connection) -> None:
        self._sender = sender
        self._reader = reader
        self._newest = 0
        sender.execute("drop table if exists bench_line")
        sender.execute(
            "create table bench_line (id bigint generated always as identity primary key, data bytea not null)"
        )
        reader.execute("listen bench_line_added")

    def measure(self) -> float:
        """Send one line; returns the ms until it has been read. It is committed durably on the way."""
        began = time.perf_counter()
        self._sender.execute(
            "with added as (insert into bench_line (data) values (%s) returning id)"
            " select pg_notify('bench_line_added', '') from added",
            [b"1795469455123456789\n"],
        )
        for _ in self._reader.notifies(timeout=10, stop_after=1):
            break
        rows = self._reader.execute(
            "select id, data from bench_line where id > %s order by id", [self._newest]
        ).fetchall()
        took = time.perf_counter() - began
        if len(rows) != 1:
            raise BenchError(f"{len(rows)} rows came where one was sent")
        self._newest = rows[0][0]
        return took * 1000
