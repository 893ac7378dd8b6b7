"""Settings: all errors at once, by name; files and descriptors for secrets."""

import os
from pathlib import Path

import pytest

from shared.config import PositiveInt, ServiceConfig, load_config
from shared.errors import ConfigurationError


class Config(ServiceConfig, frozen=True, kw_only=True):
    slots: PositiveInt = 2
    labels: list[str] = []
    folder: Path = Path("/var")
    secret: str


def test_settings_are_read_and_converted(tmp_path: Path) -> None:
    environ = {
        "HOWDAH_DATABASE_URL": "postgresql://x",
        "HOWDAH_SLOTS": "7",
        "HOWDAH_LABELS": "gpu, linux,",
        "HOWDAH_FOLDER": "/srv",
        "HOWDAH_PREPARE_STATEMENTS": "false",
        "HOWDAH_SECRET": "s",
    }
    config = load_config(Config, environ, tmp_path / "none")
    assert (config.slots, config.labels, config.folder) == (7, ["gpu", "linux"], Path("/srv"))
    assert config.prepare_statements is False
    assert config.listen_url() == "postgresql://x"


def test_every_error_is_told_at_once_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_config(Config, {"HOWDAH_SLOTS": "0", "HOWDAH_PREPARE_STATEMENTS": "maybe"}, tmp_path / "none")
    message = str(caught.value)
    for name in ("HOWDAH_DATABASE_URL", "HOWDAH_SLOTS", "HOWDAH_PREPARE_STATEMENTS", "HOWDAH_SECRET"):
        assert name in message


def test_the_process_goes_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("HOWDAH_DATABASE_URL=from-file\nHOWDAH_SECRET=from-file\n")
    config = load_config(Config, {"HOWDAH_SECRET": "from-process"}, file)
    assert (config.database_url, config.secret) == ("from-file", "from-process")


def test_a_file_that_the_process_names_goes_before_the_dotenv_file(tmp_path: Path) -> None:
    dotenv, secret = tmp_path / ".env", tmp_path / "secret"
    dotenv.write_text("HOWDAH_DATABASE_URL=x\nHOWDAH_SECRET=from-dotenv\n")
    secret.write_text("from the process's file")
    config = load_config(Config, {"HOWDAH_SECRET_FILE": str(secret)}, dotenv)
    assert config.secret == "from the process's file"


def test_a_secret_may_come_from_a_file_or_a_descriptor(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from a file\n")
    read_end, write_end = os.pipe()
    os.write(write_end, b"from a pipe")
    os.close(write_end)
    environ = {"HOWDAH_SECRET_FILE": str(file), "HOWDAH_DATABASE_URL_FILE": f"/dev/fd/{read_end}"}
    config = load_config(Config, environ, tmp_path / "none")
    assert (config.secret, config.database_url) == ("from a file", "from a pipe")
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(read_end)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    environ = {"HOWDAH_SECRET_FILE": "/no/such/file", "HOWDAH_DATABASE_URL": "x"}
    with pytest.raises(ConfigurationError, match="HOWDAH_SECRET: .*/no/such/file"):
        load_config(Config, environ, tmp_path / "none")


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    config = load_config(Config, {"HOWDAH_SECRET": "s", "HOWDAH_DATABASE_URL": "x"}, tmp_path / "none")
    with pytest.raises(AttributeError):
        config.slots = 3  # type: ignore[misc]
