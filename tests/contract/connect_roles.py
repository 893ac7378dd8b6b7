"""Connections under the services' roles."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import psycopg

from tests.contract.describe_query import Connection, use_generic_plans
from tests.database import TestDatabase

Connect = Callable[[str | None], Connection]


@contextmanager
def connect_roles(database: TestDatabase) -> Iterator[Connect]:
    """Give one connection for each role, made when it is first asked for; None is the superuser."""
    connections: dict[str | None, Connection] = {}
    with ExitStack() as stack:

        def connect_as(role: str | None) -> Connection:
            if role not in connections:
                # psycopg prepares nothing: on a rollback it would deallocate our statements with its own.
                connection = stack.enter_context(
                    psycopg.connect(database.dsn(role), autocommit=True, prepare_threshold=None)
                )
                use_generic_plans(connection)
                connections[role] = connection
            return connections[role]

        yield connect_as
