"""`python -m deploy.set_up`: from a bare server to a migrated database, and nothing the second time."""

from collections.abc import Iterator
from uuid import uuid4

import msgspec
import psycopg
import pytest
from psycopg import sql

from deploy.set_up import SetUpConfig, set_up
from shared.errors import ConfigurationError
from tests.database import PASSWORDS, Server

NAMED = {f"{name}_password": password for name, password in msgspec.structs.asdict(PASSWORDS).items()}


@pytest.fixture
def config(server: Server) -> Iterator[SetUpConfig]:
    """Settings for a database that is not there yet."""
    name = f"test-{uuid4().hex[:12]}"
    yield SetUpConfig(admin_database_url=server.postgres.dsn(), database_name=name, **NAMED)
    with psycopg.connect(server.postgres.dsn(), autocommit=True) as admin:
        admin.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


def test_a_bare_server_becomes_one_that_services_can_use(config: SetUpConfig, server: Server) -> None:
    set_up(config)
    dsn = server.postgres.dsn(config.database_name, user="howdah_ingest", password=PASSWORDS.ingest)
    with psycopg.connect(dsn) as connection:
        assert connection.execute("select count(*) from run").fetchone() == (0,)


def test_setting_up_again_does_nothing(config: SetUpConfig, capsys: pytest.CaptureFixture[str]) -> None:
    set_up(config)
    assert "Applied" in capsys.readouterr().out
    set_up(config)
    assert "Applied" not in capsys.readouterr().out


def test_the_owner_connects_as_the_administrator_does() -> None:
    awkward = {**NAMED, "owner_password": "a/b@c:d"}
    config = SetUpConfig(
        admin_database_url="postgresql://root:x@[::1]:5433/postgres?sslmode=require", database_name="ci", **awkward
    )
    assert config.owner_database_url() == "postgresql://howdah_owner:a%2Fb%40c%3Ad@[::1]:5433/ci?sslmode=require"


@pytest.mark.parametrize("url", ["host=localhost dbname=postgres", "postgresql:///postgres"])
def test_what_is_no_address_is_refused_by_name(url: str) -> None:
    with pytest.raises(ConfigurationError, match="HOWDAH_ADMIN_DATABASE_URL"):
        SetUpConfig(admin_database_url=url, **NAMED).owner_database_url()
