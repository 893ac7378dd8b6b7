"""The stack that is measured: four service processes and a PostgreSQL of their own, with durable settings."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, LiteralString
from urllib.parse import urlsplit

import httpx
import psycopg
from psycopg import sql

from deploy.embedded.stack import DATABASE, Stack, run_stack

_DURABLE: Final = ("fsync", "synchronous_commit", "full_page_writes")
# The stock 128 MB would measure how the job figures' deep tables are read from the disk's cache.
_POSTGRES_SETTINGS: Final = {"shared_buffers": "1GB"}
_PATIENCE_SECONDS: Final = 60.0


class BenchError(RuntimeError):
    """A measurement cannot be made, or would say nothing."""


class Bench:
    """A running stack, an administrator's API client, and one superuser connection."""

    def __init__(self, stack: Stack, api: httpx.Client, connection: psycopg.Connection) -> None:
        self.stack = stack
        self._api = api
        self._connection = connection
        self.port = urlsplit(stack.url).port or 80

    @property
    def token(self) -> str:
        """The administrator's API token."""
        return self.stack.admin_token()

    @property
    def postgres_log(self) -> Path:
        """What the server writes down."""
        return self.stack.state / "postgres" / "postgres.log"

    def dsn(self) -> str:
        """Return the superuser's connection URI."""
        return self.stack.postgres.dsn(DATABASE)

    def post(self, path: str, body: dict[str, object]) -> dict[str, Any]:
        """POST to the API. Raises `BenchError`."""
        answer = self._api.post(path, json=body)
        if answer.is_error:
            raise BenchError(f"POST {path}: {answer.status_code} {answer.text}")
        return dict(answer.json())

    def sql(self, statement: LiteralString, *arguments: object) -> list[tuple[Any, ...]]:
        """Run one statement; returns its rows."""
        cursor = self._connection.execute(statement, arguments or None)
        return cursor.fetchall() if cursor.description else []

    def create_database(self, name: str, *, template: str = "template1") -> None:
        """Make a database beside Howdah's own, empty or a copy of another to which nobody is connected."""
        statement = sql.SQL("create database {} template {}")
        self._connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))

    def drop_database(self, name: str) -> None:
        """Drop a database if it is there, and whoever is connected to it."""
        self._connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))

    def set_server(self, setting: str, value: str | None) -> None:
        """Change a setting of the running server; None takes the change back."""
        change = sql.SQL("reset {}") if value is None else sql.SQL("set {} = {}")
        parts = [sql.Identifier(setting), *([] if value is None else [sql.Literal(value)])]
        self._connection.execute(sql.SQL("alter system ") + change.format(*parts))
        self._connection.execute("select pg_reload_conf()")

    def await_sql(self, statement: LiteralString, *arguments: object, every: float = 0.025) -> None:
        """Return once the statement's first value is true. Raises `BenchError`."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not self.sql(statement, *arguments)[0][0]:
            if time.monotonic() > deadline:
                raise BenchError(f"waited {_PATIENCE_SECONDS:.0f} s in vain for: {statement}")
            time.sleep(every)


@contextmanager
def open_bench() -> Iterator[Bench]:
    """Start the stack, with PostgreSQL's settings as they come but for its buffers, and stop it afterwards.

    Raises `BenchError` when what is committed might not be durable: then the figures would flatter.
    """
    folder = Path(tempfile.mkdtemp(prefix="howdah-bench-"))
    try:
        with (
            run_stack(
                folder,
                settings={"HOWDAH_ALLOW_LOCAL_REPOSITORIES": "true"},
                postgres_settings=_POSTGRES_SETTINGS,
            ) as stack,
            psycopg.connect(stack.postgres.dsn(DATABASE), autocommit=True) as connection,
            httpx.Client(
                base_url=stack.url,
                headers={"authorization": f"Bearer {stack.admin_token()}"},
                timeout=30,
                trust_env=False,
            ) as api,
        ):
            bench = Bench(stack, api, connection)
            for setting in _DURABLE:
                if bench.sql("select current_setting(%s)", setting)[0][0] != "on":
                    raise BenchError(f"{setting} is not on")
            yield bench
    finally:
        shutil.rmtree(folder, ignore_errors=True)
