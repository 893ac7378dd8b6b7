"""Waiting until a statement waits: the moment in which a race can be decided by hand."""

import anyio
import psycopg

from tests.database import TestDatabase

_PATIENCE_SECONDS = 30
_WAITS = """
select 1
from pg_stat_activity a
where a.datname = current_database()
    and a.query ~ %s
    and cardinality(pg_blocking_pids(a.pid)) > 0
"""


async def await_lock(database: TestDatabase, pattern: str) -> None:
    """Return once a statement that matches a regular expression waits for a lock that somebody holds."""
    with psycopg.connect(database.dsn(), autocommit=True) as observer, anyio.fail_after(_PATIENCE_SECONDS):
        while True:
            if observer.execute(_WAITS, [pattern]).fetchone():
                return
            await anyio.sleep(0.01)
