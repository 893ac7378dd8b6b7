"""Migrations go up, down and up again; roles and settings are as the services expect."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from deploy.bootstrap_roles import bootstrap_roles
from deploy.migrate import MIGRATIONS, MigrationError, run_dbmate
from shared.schema_version import REQUIRED_SCHEMA
from tests.database import PASSWORDS, Server, TestDatabase

SERVICES = ("ingest", "scheduler", "executor", "notifier")


def schema_objects(database: TestDatabase) -> list[tuple[str, str]]:
    """What there is; partitions without their days, which are others after midnight."""
    with psycopg.connect(database.dsn()) as connection:
        return connection.execute(
            r"""
            select 'relation', regexp_replace(relname, '_\d{8}', '_day') from pg_class
            where relnamespace = 'public'::regnamespace
            union
            select 'function', oid::regprocedure::text from pg_proc where pronamespace = 'public'::regnamespace
            union
            select 'type', regexp_replace(typname, '_\d{8}', '_day') from pg_type
            where typnamespace = 'public'::regnamespace
            union
            select 'default', defaclacl::text from pg_default_acl
            order by 1, 2
            """
        ).fetchall()


def test_every_migration_can_be_taken_back_and_applied_again(database: TestDatabase) -> None:
    before = schema_objects(database)
    owner = database.dsn("owner")
    for _ in MIGRATIONS.glob("*.sql"):
        run_dbmate(owner, "rollback")
    left = [name for kind, name in schema_objects(database) if kind != "default" and "schema_migrations" not in name]
    assert left == []
    run_dbmate(owner, "migrate")
    assert schema_objects(database) == before


def test_the_code_needs_the_newest_migration() -> None:
    newest = max(file.name for file in MIGRATIONS.glob("*.sql"))
    assert newest.startswith(REQUIRED_SCHEMA)


def test_what_dbmate_refuses_is_reported_in_its_words(database: TestDatabase) -> None:
    with pytest.raises(MigrationError, match="dbmate no-such-command failed"):
        run_dbmate(database.dsn("owner"), "no-such-command")


@pytest.fixture
def admin(server: Server) -> Iterator[psycopg.Connection]:
    with psycopg.connect(server.postgres.dsn(), autocommit=True) as connection:
        yield connection


def test_making_the_roles_again_changes_nothing(admin: psycopg.Connection) -> None:
    roles = sql.SQL(
        "select rolname, rolsuper, rolcreatedb, rolconfig from pg_roles where rolname ~ '^howdah' order by 1"
    )
    before = admin.execute(roles).fetchall()
    bootstrap_roles(admin, PASSWORDS)
    assert admin.execute(roles).fetchall() == before
    assert len(before) == 6
    assert not any(superuser or creates for _, superuser, creates, _ in before)


@pytest.mark.parametrize("service", SERVICES)
def test_sessions_of_a_service_are_bounded_and_in_utc(database: TestDatabase, service: str) -> None:
    with psycopg.connect(database.dsn(service)) as connection:
        row = connection.execute(
            """
            select current_setting('timezone'), current_setting('statement_timeout'),
                current_setting('lock_timeout'), current_setting('idle_in_transaction_session_timeout')
            """
        ).fetchone()
    assert row == ("UTC", "30s", "10s", "1min")


def test_every_time_has_a_zone_and_no_function_is_for_everybody(database: TestDatabase) -> None:
    with psycopg.connect(database.dsn()) as connection:
        naive = connection.execute(
            """
            select table_name, column_name from information_schema.columns
            where table_schema = 'public' and data_type = 'timestamp without time zone'
            """
        ).fetchall()
        public = connection.execute(
            """
            select p.oid::regprocedure::text from pg_proc p
            where p.pronamespace = 'public'::regnamespace and has_function_privilege('public', p.oid, 'execute')
            """
        ).fetchall()
    assert naive == []
    assert public == []


def test_definer_functions_pin_their_search_path(database: TestDatabase) -> None:
    with psycopg.connect(database.dsn()) as connection:
        rows = connection.execute(
            """
            select p.proname, p.proconfig from pg_proc p
            where p.pronamespace = 'public'::regnamespace and p.prosecdef
            """
        ).fetchall()
    assert rows
    assert all(any(setting.startswith("search_path=pg_catalog") for setting in config or []) for _, config in rows)
