"""Buildbot beside Howdah: a master and a worker as processes of their own, in a database of the bench's server."""

import http.client
import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import psycopg

from deploy.embedded.postgres import free_port
from tests.bench.open_bench import Bench, BenchError
from tests.bench.peers.install_peers import prepare_buildbot

BUILDBOT_VERSION: Final = "4.3.0"
_DATABASE: Final = "bench_buildbot"
_PATIENCE_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.01
_REST_SECONDS: Final = 1.0


class StoredLog(msgspec.Struct, frozen=True):
    """A log that was looked at while it grew: when (Unix seconds), and how many lines were stored by then."""

    log_id: int
    looks: list[tuple[float, int]]

    def when_stored(self, lines: int) -> float:
        """Return when so many lines were first seen to be stored."""
        return next(at for at, stored in self.looks if stored >= lines)


class Buildbot:
    """A running Buildbot with a builder for each command."""

    def __init__(self, port: int, connection: psycopg.Connection) -> None:
        self._port = port
        self._connection = connection

    def force(self, builder: str) -> None:
        """Start a build of this builder. Raises `BenchError`."""
        call = {"jsonrpc": "2.0", "id": 1, "method": "force", "params": {}}
        self.ask("POST", f"/api/v2/forceschedulers/{builder}", call)

    def ask(self, method: str, path: str, body: object = None) -> bytes:
        """Call its API; returns the answer's content. Raises `BenchError`."""
        client = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_PATIENCE_SECONDS)
        try:
            client.request(method, path, json.dumps(body) if body else None, {"content-type": "application/json"})
            answer = client.getresponse()
            content = answer.read()
            if answer.status != 200:
                raise BenchError(f"Buildbot answered {method} {path} with {answer.status}: {content[:500]!r}")
            return content
        finally:
            client.close()

    def newest_log(self) -> int:
        """Return the id of the newest log that there is; 0 without one."""
        return int(self._sql("select coalesce(max(id), 0) from logs")[0][0])

    def await_log(self, after: int) -> "StoredLog":
        """Return the log that is newer than `after` once it is complete. Raises `BenchError`."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        looks: list[tuple[float, int]] = []
        while time.monotonic() < deadline:
            for log, lines, complete in self._sql("select id, num_lines, complete from logs where id > %s", after):
                looks.append((time.time(), lines))
                if complete:
                    return StoredLog(log, looks)
            time.sleep(_LOOK_SECONDS)
        raise BenchError(f"Buildbot's log is not complete within {_PATIENCE_SECONDS:.0f} s")

    def read_lines(self, log: int, first: int) -> list[str]:
        """Return the lines of a log that are stored, from this one on; each begins with the letter of its stream."""
        (chunk,) = json.loads(self.ask("GET", f"/api/v2/logs/{log}/contents?offset={first}"))["logchunks"]
        return str(chunk["content"]).splitlines()

    def await_rest(self, log: int) -> None:
        """Return once no build runs and the log's chunks change no more: it regroups them after the end.

        Raises `BenchError`.
        """
        deadline = time.monotonic() + _PATIENCE_SECONDS
        before: list[tuple[Any, ...]] = []
        while True:
            if time.monotonic() > deadline:
                raise BenchError("Buildbot does not come to rest")
            time.sleep(_REST_SECONDS)
            running = self._sql("select count(*) from builds where complete_at is null")[0][0]
            chunks = self._sql("select first_line, last_line, length(content) from logchunks where logid = %s", log)
            if not running and sorted(chunks) == before:
                return
            before = sorted(chunks)

    @contextmanager
    def listen(self) -> Iterator[Iterator[dict[str, Any]]]:
        """Follow what is appended to logs by its server-sent events; yields their messages."""
        client = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_PATIENCE_SECONDS)
        try:
            client.request("GET", "/sse/listen/logs/*/append")
            yield _messages(client.getresponse())
        finally:
            client.close()

    def _sql(self, statement: str, *arguments: object) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement.encode(), arguments or None).fetchall()


def _messages(answer: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
    while line := answer.readline():
        if line.startswith(b"data: {"):
            yield json.loads(line.removeprefix(b"data: "))["message"]


@contextmanager
def run_buildbot(bench: Bench, commands: Mapping[str, str]) -> Iterator[Buildbot]:
    """Set up and start a master and a worker with a builder for each command. Raises `PeerMissingError`, `BenchError`.

    Their settings are as they come, but for the database. How long a worker gathers output (5 s) is none of them.
    """
    programs = prepare_buildbot()
    folder = bench.stack.state / "buildbot"
    folder.mkdir()
    commands_file = folder / "commands.json"
    commands_file.write_text(json.dumps(dict(commands)))
    http_port, worker_port = free_port(), free_port()
    bench.create_database(_DATABASE)
    dsn = bench.stack.postgres.dsn(_DATABASE)
    environment = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(folder),
        "BENCH_COMMANDS": str(commands_file),
        "BENCH_DATABASE": dsn.replace("postgresql://", "postgresql+psycopg2://"),
        "BENCH_HTTP_PORT": str(http_port),
        "BENCH_WORKER_PORT": str(worker_port),
    }
    master, worker = folder / "master", folder / "worker"
    config = Path(__file__).parent / "configure_buildbot.py"
    setup: tuple[list[str | Path], ...] = (
        [programs / "buildbot", "create-master", "--quiet", f"--config={config}", master],
        [programs / "buildbot", "upgrade-master", "--quiet", master],
        [
            programs / "buildbot-worker",
            "create-worker",
            "--quiet",
            worker,
            f"127.0.0.1:{worker_port}",
            "worker",
            "bench",
        ],
    )
    with ExitStack() as stack:
        stack.callback(bench.drop_database, _DATABASE)
        for command in setup:
            done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
            if done.returncode:
                raise BenchError(f"{command[1]} failed: {(done.stderr or done.stdout)[-2000:]}")
        for place in (master, worker):
            stack.enter_context(_run(programs, place, environment))
        connection = stack.enter_context(psycopg.connect(dsn, autocommit=True))
        buildbot = Buildbot(http_port, connection)
        _await_worker(buildbot, folder)
        yield buildbot


@contextmanager
def _run(programs: Path, place: Path, environment: Mapping[str, str]) -> Iterator[None]:
    with (place / "said.log").open("ab") as said:
        process = subprocess.Popen(
            [programs / "twistd", "--nodaemon", "--no_save", "--python=buildbot.tac"],
            cwd=place,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _await_worker(buildbot: Buildbot, folder: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            workers = json.loads(buildbot.ask("GET", "/api/v2/workers"))["workers"]
        except ConnectionRefusedError:
            workers = []
        if any(each["connected_to"] for each in workers):
            return
        time.sleep(0.1)
    log = folder / "master" / "twistd.log"
    raise BenchError(f"Buildbot did not start: {log.read_text(errors='replace')[-2000:] if log.exists() else ''}")
