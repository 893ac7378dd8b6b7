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
    """The session's server: embedded, or a container of the image that HOWDAH_TEST_POSTGRES_IMAGE names.

    HOWDAH_TEST_POSTGRES names another major version than 18 of the embedded one.
    """
    if image := os.environ.get("HOWDAH_TEST_POSTGRES_IMAGE"):
        from tests.container_server import run_container_server  # needs Docker's client library

        with run_container_server(image) as running:
            yield running
        return
    version = cast("ServerVersion", os.environ.get("HOWDAH_TEST_POSTGRES", "18"))
    with run_server(version) as running:
        yield running


@pytest.fixture
def database(server: Server) -> Iterator[TestDatabase]:
    """A migrated database of the test's own."""
    with server.create_database() as created:
        yield created
