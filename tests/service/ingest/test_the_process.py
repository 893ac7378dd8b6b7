"""Ingest as a process: it starts, waits for its database, and ends in good order."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from deploy.embedded.postgres import free_port
from tests.database import TestDatabase
from tests.service.ingest.door import NO_TLS, SEALING_KEY

ROOT = Path(__file__).parents[3]
NO_ID = "01234567-89ab-7def-8123-456789abcdef"


@contextmanager
def ingest_process(dsn: str, port: int, log: Path, **settings: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Start `python -m services.ingest`; kill it if it is still there in the end."""
    environment = {"HOWDAH_DATABASE_URL": dsn, "HOWDAH_SEALING_KEYS": SEALING_KEY, "HOWDAH_LISTEN_PORT": str(port)}
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "services.ingest"],
            cwd=ROOT,
            env=environment | settings,
            stderr=stream,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def await_answer(port: int, path: str, process: "subprocess.Popen[bytes]") -> httpx.Response:
    deadline = time.monotonic() + 30
    while True:
        try:
            return httpx.get(f"http://127.0.0.1:{port}{path}", trust_env=False, verify=NO_TLS)
        except httpx.TransportError:
            assert process.poll() is None, "ingest has ended"
            assert time.monotonic() < deadline


def await_line(log: Path, text: str) -> None:
    """Return once the log says `text`."""
    deadline = time.monotonic() + 30
    while text not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()


def issue_token(database: TestDatabase, role: str = "admin") -> str:
    made = subprocess.run(
        [sys.executable, "-m", "services.ingest.issue_token", "--name", "set-up", "--role", role],
        cwd=ROOT,
        env={"HOWDAH_DATABASE_URL": database.dsn("ingest")},
        capture_output=True,
        text=True,
        check=True,
    )
    return made.stdout


def test_the_first_token_comes_from_the_command_line_alone_on_its_line(database: TestDatabase, tmp_path: Path) -> None:
    printed = issue_token(database)
    assert printed.count("\n") == 1
    port = free_port()
    with ingest_process(database.dsn("ingest"), port, tmp_path / "log") as process:
        await_answer(port, "/health", process)
        headers = {"authorization": f"Bearer {printed.strip()}"}
        answer = httpx.get(f"http://127.0.0.1:{port}/api/v1/tokens", headers=headers, trust_env=False, verify=NO_TLS)
        assert [token["role"] for token in answer.json()["tokens"]] == ["admin"]
        assert answer.json()["tokens"][0]["created_by"] == "set-up"


def test_sigterm_ends_streams_within_a_second_and_the_process_with_0(database: TestDatabase, tmp_path: Path) -> None:
    headers = {"authorization": f"Bearer {issue_token(database).strip()}"}
    port = free_port()
    with (
        ingest_process(database.dsn("ingest"), port, tmp_path / "log") as process,
        httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30, trust_env=False, verify=NO_TLS
        ) as client,
    ):
        await_answer(port, "/health", process)
        with client.stream("GET", "/api/v1/stream/events") as stream:
            lines = stream.iter_lines()
            assert next(lines) == "retry: 1000"
            process.send_signal(signal.SIGTERM)
            asked_at = time.monotonic()
            list(lines)
            assert time.monotonic() - asked_at < 1.5  # the second, and a slow machine's half
        assert process.wait(10) == 0
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_a_second_sigterm_ends_it_at_once(database: TestDatabase, tmp_path: Path) -> None:
    port = free_port()
    with ingest_process(database.dsn("ingest"), port, tmp_path / "log") as process:
        await_answer(port, "/health", process)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False, verify=NO_TLS) as client:
            # A request that never arrives in full would be waited for.
            def half() -> Iterator[bytes]:
                yield b"half"
                process.send_signal(signal.SIGTERM)
                await_line(tmp_path / "log", "received SIGTERM")
                process.send_signal(signal.SIGTERM)
                process.wait(10)
                yield b"too late"

            with suppress(httpx.TransportError):
                client.post("/webhooks/app", content=half())
        assert process.wait(10) == 0


def test_nothing_listens_before_the_database_answers(database: TestDatabase, tmp_path: Path) -> None:
    port = free_port()
    with ingest_process("postgresql://nobody@127.0.0.1:1/none", port, tmp_path / "log") as process:
        await_line(tmp_path / "log", "waiting for the database")
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False, verify=NO_TLS)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_a_port_that_is_taken_is_said_plainly(database: TestDatabase, tmp_path: Path) -> None:
    port = free_port()
    with ingest_process(database.dsn("ingest"), port, tmp_path / "first") as first:
        await_answer(port, "/health", first)
        with ingest_process(database.dsn("ingest"), port, tmp_path / "second") as second:
            assert second.wait(20) == 1
        assert "cannot listen on 127.0.0.1 port" in (tmp_path / "second").read_text()
        assert "Traceback" not in (tmp_path / "second").read_text()


def test_bad_settings_are_all_told_at_once(tmp_path: Path) -> None:
    with ingest_process("", 1, tmp_path / "log", HOWDAH_SEALING_KEYS="nonsense", HOWDAH_LISTEN_PORT="70000") as process:
        assert process.wait(20) == 2
    told = (tmp_path / "log").read_text()
    assert "HOWDAH_LISTEN_PORT" in told
    assert "Traceback" not in told
