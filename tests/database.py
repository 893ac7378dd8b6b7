"""One server for the test session, one migrated template, and a database of its own for each test that asks."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, cast
from uuid import uuid4

import msgspec
import psycopg
from psycopg import sql

from deploy.bootstrap_roles import RolePasswords, bootstrap_roles, create_database
from deploy.embedded.postgres import EmbeddedPostgres, ServerVersion, start_postgres
from deploy.migrate import run_dbmate

PASSWORDS = RolePasswords(**{name: f"{name}-password" for name in RolePasswords.__struct_fields__})
TEMPLATE = "howdah_template"

# Durability is not what these tests are about; chaos and bench switch it back on.
FAST_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}


class PostgresServer(Protocol):
    """A running server, whoever started it."""

    def dsn(self, database: str = "postgres", *, user: str = "postgres", password: str | None = None) -> str:
        """Return a connection URI; the superuser's if nobody is named."""


class TestDatabase(msgspec.Struct, frozen=True):
    """A migrated database."""

    __test__ = False

    server: "Server"
    name: str

    def dsn(self, role: str | None = None) -> str:
        """Return the URI as `ingest`, `howdah_ingest`, `owner` …; as superuser without a role."""
        if role is None:
            return self.server.postgres.dsn(self.name)
        short = role.removeprefix("howdah_")
        password = cast("str", getattr(PASSWORDS, short))
        return self.server.postgres.dsn(self.name, user=f"howdah_{short}", password=password)


class Server(msgspec.Struct, frozen=True):
    """A running server with Howdah's roles and a migrated template database."""

    postgres: PostgresServer

    @contextmanager
    def create_database(self) -> Iterator[TestDatabase]:
        """Clone the template; drop the clone afterwards, whoever is still connected."""
        name = f"test_{uuid4().hex[:12]}"
        with psycopg.connect(self.postgres.dsn(), autocommit=True) as admin:
            admin.execute(
                sql.SQL("create database {} template {} owner howdah_owner").format(
                    sql.Identifier(name), sql.Identifier(TEMPLATE)
                )
            )
        try:
            yield TestDatabase(self, name)
        finally:
            with psycopg.connect(self.postgres.dsn(), autocommit=True) as admin:
                admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


class EmbeddedServer(Server, frozen=True):
    """One that is a process of ours, which a test may stop and kill."""

    postgres: EmbeddedPostgres


def prepare_server(postgres: PostgresServer) -> None:
    """Make the roles and the migrated template database."""
    with psycopg.connect(postgres.dsn(), autocommit=True) as admin:
        bootstrap_roles(admin, PASSWORDS)
        create_database(admin, TEMPLATE)
    run_dbmate(postgres.dsn(TEMPLATE, user="howdah_owner", password=PASSWORDS.owner), "migrate")


@contextmanager
def run_server(version: ServerVersion, settings: dict[str, str] | None = None) -> Iterator[EmbeddedServer]:
    """Start a server in a temporary folder, prepare it, and remove it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="howdah-test-postgres-"))
    folder.chmod(0o755)
    try:
        postgres = start_postgres(folder, version=version, settings=FAST_SETTINGS if settings is None else settings)
        try:
            prepare_server(postgres)
            yield EmbeddedServer(postgres)
        finally:
            postgres.stop(at_once=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
