"""Clusters whose leases are short, so that a death is noticed within seconds."""

from collections.abc import Iterator

import pytest

from tests.chaos.test_database_deaths import DURABLE
from tests.cluster import FAST_LEASE, Cluster, run_cluster
from tests.database import EmbeddedServer, TestDatabase, run_server


@pytest.fixture
def cluster(database: TestDatabase) -> Iterator[Cluster]:
    with run_cluster(database, FAST_LEASE) as running:
        yield running


@pytest.fixture
def mortal_server() -> Iterator[EmbeddedServer]:
    """A server that loses nothing when it is killed, and room for many services."""
    with run_server("18", {**DURABLE, "max_connections": "200"}) as server:
        yield server
