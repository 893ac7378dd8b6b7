"""Clusters whose leases are short, so that a death is noticed within seconds."""

from collections.abc import Iterator

import pytest

from tests.cluster import FAST_LEASE, Cluster, run_cluster
from tests.database import TestDatabase


@pytest.fixture
def cluster(database: TestDatabase) -> Iterator[Cluster]:
    with run_cluster(database, FAST_LEASE) as running:
        yield running
