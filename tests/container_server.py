"""The test session's server as a container, by Testcontainers: for HOWDAH_TEST_POSTGRES_IMAGE."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import msgspec
from testcontainers.community.postgres import PostgresContainer

from tests.database import FAST_SETTINGS, Server, prepare_server


class ContainerPostgres(msgspec.Struct, frozen=True):
    """A server that a port of this machine leads to."""

    address: str
    password: str

    def dsn(self, database: str = "postgres", *, user: str = "postgres", password: str | None = None) -> str:
        """Return a connection URI; the superuser's if nobody is named."""
        return f"postgresql://{user}:{self.password if password is None else password}@{self.address}/{database}"


@contextmanager
def run_container_server(image: str) -> Iterator[Server]:
    """Start a container of a PostgreSQL image, prepare the server in it, and remove it afterwards."""
    password = secrets.token_urlsafe(24)
    container = PostgresContainer(image, username="postgres", password=password, dbname="postgres", driver=None)
    container.with_command([part for name, value in FAST_SETTINGS.items() for part in ("-c", f"{name}={value}")])
    with container:
        url = urlsplit(container.get_connection_url())
        postgres = ContainerPostgres(f"{url.hostname}:{url.port}", password)
        prepare_server(postgres)
        yield Server(postgres)
