"""What PostgreSQL itself says of a query, once it is prepared."""

from typing import Any

import psycopg
from msgspec import Struct
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus

from tests.contract.manifests import ServiceQuery

Connection = psycopg.Connection[Any]


class DescribedColumn(Struct, frozen=True):
    """A column of the result, and the table's column that it is, if it is nothing but that."""

    name: str
    type_oid: int
    table_oid: int
    table_column: int


class DescribedQuery(Struct, frozen=True):
    """A prepared statement's parameters and result."""

    parameter_oids: tuple[int, ...]
    columns: tuple[DescribedColumn, ...]


def prepare(conn: Connection, name: str, statement: str) -> DescribedQuery:
    """Prepare a statement on the server, and describe it. Raises `psycopg.Error`."""
    prepared = conn.pgconn.prepare(name.encode(), statement.encode())
    if prepared.status != ExecStatus.COMMAND_OK:
        raise error_from_result(prepared)
    described = conn.pgconn.describe_prepared(name.encode())
    if described.status != ExecStatus.COMMAND_OK:
        raise error_from_result(described)
    columns = tuple(
        DescribedColumn(
            (described.fname(place) or b"").decode(),
            described.ftype(place),
            described.ftable(place),
            described.ftablecol(place),
        )
        for place in range(described.nfields)
    )
    return DescribedQuery(tuple(map(described.param_type, range(described.nparams))), columns)


def use_generic_plans(conn: Connection) -> None:
    """Keep the planner from folding calls with null arguments away: their grants would not be checked."""
    conn.execute("set plan_cache_mode = force_generic_plan")


def explain_prepared(conn: Connection, query: ServiceQuery) -> None:
    """Start a prepared query without running it, all parameters null: this checks its grants.

    Raises `psycopg.errors.InsufficientPrivilege`.
    """
    arguments = ", ".join("null" for _ in query.query.params)
    call = f'"{query.statement_name}"' + (f"({arguments})" if arguments else "")
    conn.execute(f"explain execute {call}".encode())
