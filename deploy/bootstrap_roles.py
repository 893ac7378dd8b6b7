"""Make the roles of Howdah, and a database that its owner role owns. Idempotent; run by an administrator.

Roles belong to the whole cluster, so migrations cannot make them: they only GRANT.
"""

from typing import Final

import msgspec
import psycopg
from psycopg import sql

OWNER: Final = "howdah_owner"
SERVICES: Final = ("ingest", "scheduler", "executor", "notifier")
PRODUCER: Final = "howdah_producer"

# So that the server notices within about 25 s that a client has vanished without a word, as clients notice it of the
# server. By default it takes hours, in which the dead session keeps its locks and its place among max_connections.
_CONNECTION_SETTINGS: Final = {
    "tcp_keepalives_idle": "10s",
    "tcp_keepalives_interval": "5s",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "15s",
}
# Set on the roles, because a pooler in transaction mode drops what a session sets.
_ROLE_SETTINGS: Final = {
    "statement_timeout": "30s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",
}

# Of single roles. Planning the statement by which an executor finishes and claims takes longer than carrying it out,
# and the server would plan it anew each time, because it takes the plan for given arrays to be cheaper.
_SETTINGS_OF_ONE: Final = {"executor": {"plan_cache_mode": "force_generic_plan"}}


class RolePasswords(msgspec.Struct, frozen=True):
    """A password for each login role."""

    owner: str
    ingest: str
    scheduler: str
    executor: str
    notifier: str
    producer: str


def service_role(service: str) -> str:
    """Return the role that a service logs in as."""
    return f"howdah_{service}"


def bootstrap_roles(admin: psycopg.Connection, passwords: RolePasswords) -> None:
    """Make the roles where they are lacking, and set their passwords and settings."""
    for name, password in msgspec.structs.asdict(passwords).items():
        role = sql.Identifier(f"howdah_{name}")
        known = admin.execute("select 1 from pg_roles where rolname = %s", [f"howdah_{name}"]).fetchone()
        if known is None:
            admin.execute(sql.SQL("create role {} login").format(role))
        admin.execute(
            sql.SQL("alter role {} login {} nosuperuser nocreatedb nocreaterole password {}").format(
                role,
                # The owner of a database may create in its schema as a member of pg_database_owner.
                sql.SQL("inherit" if name == "owner" else "noinherit"),
                sql.Literal(password),
            )
        )
        settings = {
            "timezone": "UTC",
            **_CONNECTION_SETTINGS,
            **({} if name == "owner" else _ROLE_SETTINGS),
            **_SETTINGS_OF_ONE.get(name, {}),
        }
        for setting, value in settings.items():
            admin.execute(
                sql.SQL("alter role {} set {} = {}").format(role, sql.Identifier(setting), sql.Literal(value))
            )

    _let_read_statistics(admin)


def _let_read_statistics(admin: psycopg.Connection) -> None:
    """Let the owner see what other roles' sessions hold back, for `database_pressure()`.

    Some hosted servers allow it to nobody but themselves: then the metrics do without.
    """
    try:
        admin.execute(sql.SQL("grant pg_read_all_stats to {}").format(sql.Identifier(OWNER)))
    except psycopg.errors.InsufficientPrivilege:
        return


def create_database(admin: psycopg.Connection, name: str) -> None:
    """Make the database, owned by the owner role and closed to everybody but Howdah's roles."""
    database = sql.Identifier(name)
    if admin.execute("select 1 from pg_database where datname = %s", [name]).fetchone() is None:
        admin.execute(sql.SQL("create database {} owner {}").format(database, sql.Identifier(OWNER)))
    admin.execute(sql.SQL("revoke all on database {} from public").format(database))
    for role in (*map(service_role, SERVICES), PRODUCER):
        admin.execute(sql.SQL("grant connect on database {} to {}").format(database, sql.Identifier(role)))
