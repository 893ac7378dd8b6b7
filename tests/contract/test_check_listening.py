"""The health check of services without a port asks the database."""

import psycopg
import pytest

from deploy.check_listening import main
from tests.database import TestDatabase


@pytest.mark.parametrize("service", ["scheduler", "notifier"])
def test_a_service_is_healthy_while_it_listens(
    database: TestDatabase, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOWDAH_DATABASE_URL", database.dsn(service))
    assert main([service]) == 1
    with psycopg.connect(database.dsn(service), application_name=f"howdah-{service}-listen"):
        assert main([service]) == 0


def test_without_a_database_nobody_is_healthy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOWDAH_DATABASE_URL", "postgresql://howdah_scheduler:x@127.0.0.1:1/howdah")
    assert main(["scheduler"]) == 1
    assert "refused" in capsys.readouterr().out
