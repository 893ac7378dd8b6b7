"""Migrations go up, down and up again; roles and settings are as the services expect."""

import re
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from deploy.bootstrap_roles import bootstrap_roles
from deploy.migrate import MIGRATIONS, MigrationError, run_dbmate
from shared.schema_version import REQUIRED_SCHEMA
from tests.database import PASSWORDS, Server, TestDatabase

SERVICES = ("ingest", "scheduler", "executor", "notifier")


# What a schema consists of, apart from dbmate's own table and from partitions, which come and go by the day.
SCHEMA = r"""
with ours as (
    select c.oid, c.relname, c.relkind, c.relowner, c.relacl, c.reloptions
    from pg_class c
    where c.relnamespace = 'public'::regnamespace
        and c.relname !~ '^schema_migrations|_\d{8}'
)
select 'relation', o.relname, concat(o.relkind, ' ', o.reloptions) from ours o
union
select 'right', o.relname, concat(a.grantee::regrole, ' ', a.privilege_type)
from ours o cross join aclexplode(o.relacl) a
where a.grantee <> o.relowner
union
select 'right', p.oid::regprocedure::text, concat(nullif(a.grantee, 0)::regrole, ' ', a.privilege_type)
from pg_proc p cross join aclexplode(p.proacl) a
where p.pronamespace = 'public'::regnamespace and a.grantee <> p.proowner
union
select 'right', o.relname, concat(a.attname, ' ', r.grantee::regrole, ' ', r.privilege_type)
from ours o
join pg_attribute a on a.attrelid = o.oid and not a.attisdropped
cross join aclexplode(a.attacl) r
union
select
    'column', o.relname,
    concat_ws(
        ' ', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attstorage,
        pg_get_expr(d.adbin, d.adrelid)
    )
from ours o
join pg_attribute a on a.attrelid = o.oid and a.attnum > 0 and not a.attisdropped
left join pg_attrdef d on d.adrelid = o.oid and d.adnum = a.attnum
where o.relkind in ('r', 'p')
union
select 'constraint', o.relname, concat(k.conname, ' ', pg_get_constraintdef(k.oid))
from ours o join pg_constraint k on k.conrelid = o.oid
union
select 'index', o.relname, pg_get_indexdef(o.oid) from ours o where o.relkind in ('i', 'I')
union
select 'trigger', o.relname, pg_get_triggerdef(t.oid)
from ours o join pg_trigger t on t.tgrelid = o.oid
where not t.tgisinternal
union
select 'function', p.oid::regprocedure::text, pg_get_functiondef(p.oid)
from pg_proc p
where p.pronamespace = 'public'::regnamespace
union
select 'default', d.defaclobjtype::text, d.defaclacl::text from pg_default_acl d
union
select
    'type', t.typname,
    (select string_agg(e.enumlabel, ' ' order by e.enumsortorder) from pg_enum e where e.enumtypid = t.oid)
from pg_type t
where t.typnamespace = 'public'::regnamespace
    and t.typname !~ 'schema_migrations|_\d{8}'
"""


def read_schema(connection: psycopg.Connection) -> set[tuple[str, str, str | None]]:
    """What there is: its kind, its name, and all about it."""
    return set(connection.execute(SCHEMA.encode()).fetchall())


def test_every_migration_takes_back_exactly_what_it_did(database: TestDatabase) -> None:
    migrations = []
    for file in sorted(MIGRATIONS.glob("*.sql")):
        _, up, down = re.split(r"^-- migrate:(?:up|down)$", file.read_text(), flags=re.MULTILINE)
        migrations.append((file.name, up.encode(), down.encode()))
    with psycopg.connect(database.dsn("owner"), autocommit=True) as connection:
        before = {}
        for name, _, down in reversed(migrations):
            before[name] = read_schema(connection)
            connection.execute(down)
        assert read_schema(connection) == set()
        for name, up, _ in migrations:
            connection.execute(up)
            # On the way down it was as it is now, on the way up.
            assert read_schema(connection) ^ before[name] == set(), name


def test_dbmate_can_take_every_migration_back_and_apply_it_again(database: TestDatabase) -> None:
    owner = database.dsn("owner")
    with psycopg.connect(database.dsn(), autocommit=True) as connection:
        before = read_schema(connection)
        for _ in MIGRATIONS.glob("*.sql"):
            run_dbmate(owner, "rollback")
        assert read_schema(connection) == set()
        run_dbmate(owner, "migrate")
        assert read_schema(connection) == before


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
