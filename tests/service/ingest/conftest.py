"""Ingest against a database of the test's own."""

from collections.abc import AsyncIterator

import pytest

from tests.database import TestDatabase
from tests.engine import Engine, open_engine
from tests.service.ingest.door import Door, open_door


@pytest.fixture
async def door(database: TestDatabase) -> AsyncIterator[Door]:
    async with open_door(database) as opened:
        yield opened


@pytest.fixture
async def engine(database: TestDatabase) -> AsyncIterator[Engine]:
    async with open_engine(database) as opened:
        yield opened
