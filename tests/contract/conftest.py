"""The engine's queries against a database of the test's own."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.contract.connect_roles import Connect, connect_roles
from tests.database import Server, TestDatabase
from tests.engine import Engine, open_engine


@pytest.fixture
async def engine(database: TestDatabase) -> AsyncIterator[Engine]:
    async with open_engine(database) as opened:
        yield opened


@pytest.fixture(scope="session")
def connect(server: Server) -> Iterator[Connect]:
    """Connections under any role to one database, in which nobody leaves anything."""
    with server.create_database() as created, connect_roles(created) as connect_as:
        yield connect_as
