"""Ingest against a database of the test's own."""

from collections.abc import AsyncIterator

import pytest

from tests.database import Server, TestDatabase
from tests.engine import Engine, open_engine
from tests.service.ingest.door import Door, open_door


@pytest.fixture
async def door(database: TestDatabase) -> AsyncIterator[Door]:
    async with open_door(database) as opened:
        yield opened


@pytest.fixture(scope="module")
async def shared_door(server: Server) -> AsyncIterator[Door]:
    """One for all tests of a module that change nothing, with the pipeline `app`."""
    with server.create_database() as created:
        async with open_door(created) as opened:
            await opened.add_pipeline()
            yield opened


@pytest.fixture
async def engine(database: TestDatabase) -> AsyncIterator[Engine]:
    async with open_engine(database) as opened:
        yield opened
