"""A program that enqueues: it has a connection as howdah_producer, and nothing else of Howdah."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.database import TestDatabase

Job = Mapping[str, object]


class Enqueued(tuple[int, UUID, bool]):
    """One row of enqueue_jobs."""

    __slots__ = ()

    @property
    def job_id(self) -> UUID:
        return self[1]

    @property
    def is_created(self) -> bool:
        return self[2]


class Producer:
    """A connection in autocommit, and the two functions that it may call."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection

    def enqueue_jobs(self, *jobs: Job) -> list[Enqueued]:
        """Enqueue many in one call."""
        return self.enqueue_all(jobs)

    def enqueue_all(self, jobs: Sequence[Any] | str) -> list[Enqueued]:
        """The same, of a list, or of JSON as it stands."""
        given = jobs if isinstance(jobs, str) else Jsonb(list(jobs))
        rows = self.connection.execute("select * from enqueue_jobs(%s::jsonb)", [given]).fetchall()
        return [Enqueued(row) for row in rows]

    def enqueue(self, job_type: str | None, **arguments: object) -> UUID:
        """Enqueue one by named arguments."""
        named = "".join(f", {name} => %s" for name in arguments)
        values = [Jsonb(value) if isinstance(value, dict) else value for value in arguments.values()]
        row = self.connection.execute(f"select enqueue(%s{named})".encode(), [job_type, *values]).fetchone()
        assert row is not None
        job_id = row[0]
        assert isinstance(job_id, UUID)
        return job_id


@contextmanager
def open_producer(database: TestDatabase) -> Iterator[Producer]:
    """Connect as howdah_producer."""
    with psycopg.connect(database.dsn("producer"), autocommit=True) as connection:
        yield Producer(connection)


@contextmanager
def refused(code: str, words: str) -> Iterator[None]:
    """Expect an error with this SQLSTATE, whose message has these words (a regular expression)."""
    with pytest.raises(psycopg.Error) as caught:
        yield
    said = caught.value.diag
    assert (caught.value.sqlstate, said.message_primary) == (code, said.message_primary)
    assert re.search(words, said.message_primary or "", re.DOTALL), said.message_primary
    # An error of ours says what to do.
    assert said.message_hint
