"""Fixtures for all tests: a real PostgreSQL."""

import os
from collections.abc import Iterator
from typing import cast

import pytest

from deploy.embedded.postgres import ServerVersion
from tests.database import Server, TestDatabase, run_server


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The session's server; HOWDAH_TEST_POSTGRES names another major version than 18."""
    version = cast("ServerVersion", os.environ.get("HOWDAH_TEST_POSTGRES", "18"))
    with run_server(version) as running:
        yield running


@pytest.fixture
def database(server: Server) -> Iterator[TestDatabase]:
    """A migrated database of the test's own."""
    with server.create_database() as created:
        yield created
