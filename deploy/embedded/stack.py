"""The whole of Howdah on one machine: an embedded PostgreSQL and the four services as processes of their own."""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import psycopg

from deploy.bootstrap_roles import SERVICES, RolePasswords, bootstrap_roles, create_database
from deploy.embedded.postgres import EmbeddedPostgres, free_port, reachable_by_others, start_postgres
from deploy.migrate import run_dbmate
from shared.sealing import generate_key

ROOT: Final = Path(__file__).parent.parent.parent
DATABASE: Final = "howdah"
_READY_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 30.0


class StackError(RuntimeError):
    """The stack could not be started; the message names the service and its log."""


class Secrets(msgspec.Struct, frozen=True):
    """What is made up at the first start, and kept in a file that only its owner can read."""

    passwords: RolePasswords
    sealing_key: str


def state_folder() -> Path:
    """Return where `make up` keeps its data: var/, or for root a folder that PostgreSQL's own user can reach."""
    here = ROOT / "var"
    if os.geteuid() != 0 or reachable_by_others(here):
        return here
    return Path("/var/lib/howdah") / ROOT.as_posix().strip("/").replace("/", "-")


def load_secrets(state: Path) -> Secrets:
    """Read the secrets of this installation; make them first if there are none."""
    file = state / "secrets.json"
    if not file.exists():
        passwords = {name: secrets.token_urlsafe(24) for name in RolePasswords.__struct_fields__}
        made = Secrets(passwords=RolePasswords(**passwords), sealing_key=f"k1:{generate_key()}")
        unfinished = file.with_suffix(".new")
        unfinished.touch(mode=0o600)
        unfinished.write_bytes(msgspec.json.encode(made))
        unfinished.rename(file)
    return msgspec.json.decode(file.read_bytes(), type=Secrets)


def prepare_database(postgres: EmbeddedPostgres, passwords: RolePasswords) -> None:
    """Make roles and database, and apply the migrations. Idempotent."""
    with psycopg.connect(postgres.dsn(), autocommit=True) as admin:
        bootstrap_roles(admin, passwords)
        create_database(admin, DATABASE)
    run_dbmate(postgres.dsn(DATABASE, user="howdah_owner", password=passwords.owner), "migrate")


@dataclass
class ServiceProcess:
    """One service, and how to start it again."""

    name: str
    settings: dict[str, str]
    # Handed over through pipes, so that they stand in no environment, argument list or file.
    secret_settings: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        """Start the process."""
        environment = {
            name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TZ", "TMPDIR") if name in os.environ
        }
        environment |= {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **self.settings}
        descriptors: list[int] = []
        try:
            for name, value in self.secret_settings.items():
                read_end, write_end = os.pipe()
                descriptors.append(read_end)
                os.write(write_end, value.encode())  # far below a pipe's capacity: never blocks
                os.close(write_end)
                environment[f"{name}_FILE"] = f"/dev/fd/{read_end}"
            with self.log.open("ab") as log_stream:
                self.process = subprocess.Popen(
                    [sys.executable, "-m", f"services.{self.name}"],
                    cwd=ROOT,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log_stream,
                    stderr=subprocess.STDOUT,
                    pass_fds=descriptors,
                    start_new_session=True,  # Ctrl-C comes to us alone; we stop the services in order
                )
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def ended(self) -> int | None:
        """Return the exit status of a process that has ended by itself."""
        return None if self.process is None else self.process.poll()

    def stop(self) -> None:
        """Ask it to end; leave it no choice after a while."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def last_words(self) -> str:
        """Return the end of its log."""
        return self.log.read_text(errors="replace")[-2000:]


@dataclass(frozen=True)
class Stack:
    """Everything that runs, and how to reach it."""

    state: Path
    postgres: EmbeddedPostgres
    secrets: Secrets
    services: dict[str, ServiceProcess]
    url: str

    def service_dsn(self, service: str) -> str:
        """Return the connection URI of a service's role."""
        password: str = getattr(self.secrets.passwords, service)
        return self.postgres.dsn(DATABASE, user=f"howdah_{service}", password=password)

    def admin_token(self) -> str:
        """Return the administrator's API token; made at the first call, and kept beside the secrets."""
        file = self.state / "admin-token"
        if not file.exists():
            made = subprocess.run(
                [sys.executable, "-m", "services.ingest.issue_token", "--name", "admin", "--role", "admin"],
                cwd=ROOT,
                env={"PATH": os.environ["PATH"], "HOWDAH_DATABASE_URL": self.service_dsn("ingest")},
                capture_output=True,
                text=True,
                check=False,
            )
            if made.returncode:
                raise StackError(f"no token could be issued:\n{made.stderr}")
            file.touch(mode=0o600)
            file.write_text(made.stdout.strip())
        return file.read_text()


def _service_processes(
    state: Path,
    postgres: EmbeddedPostgres,
    kept: Secrets,
    *,
    port: int,
    settings: dict[str, str],
    pooler_port: int | None,
) -> dict[str, ServiceProcess]:
    url = f"http://127.0.0.1:{port}"
    own: dict[str, dict[str, str]] = {
        "ingest": {"HOWDAH_LISTEN_PORT": str(port), "HOWDAH_PUBLIC_URL": url},
        "scheduler": {},
        "executor": {
            "HOWDAH_STATE_DIRECTORY": str(state / "executor"),
            "HOWDAH_DRAIN_SECONDS": "10",
            **({"HOWDAH_RUN_AS": "nobody"} if os.geteuid() == 0 else {}),
        },
        "notifier": {"HOWDAH_PUBLIC_URL": url},
    }
    logs = state / "logs"
    logs.mkdir(exist_ok=True)
    return {
        name: ServiceProcess(
            name=name,
            settings={**settings, **own[name]},
            secret_settings={
                **_database_settings(postgres, name, getattr(kept.passwords, name), pooler_port),
                **({} if name == "scheduler" else {"HOWDAH_SEALING_KEYS": kept.sealing_key}),
            },
            log=logs / f"{name}.log",
        )
        for name in SERVICES
    }


def _database_settings(
    postgres: EmbeddedPostgres, service: str, password: str, pooler_port: int | None
) -> dict[str, str]:
    """Return where a service finds the database: directly, or through a pooler, and directly for what needs that."""
    direct = postgres.dsn(DATABASE, user=f"howdah_{service}", password=password)
    if pooler_port is None:
        return {"HOWDAH_DATABASE_URL": direct}
    pooled = direct.replace(f":{postgres.port}/", f":{pooler_port}/")
    return {"HOWDAH_DATABASE_URL": pooled, "HOWDAH_DIRECT_DATABASE_URL": direct}


def _wait_until_ready(stack: Stack) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        for service in stack.services.values():
            if (status := service.ended()) is not None:
                raise StackError(
                    f"{service.name} ended with status {status}; {service.log} says:\n{service.last_words()}"
                )
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{stack.url}/ready", timeout=2) as answer:  # noqa: S310
            if answer.status == 200:
                return
        if time.monotonic() > deadline:
            ingest = stack.services["ingest"]
            raise StackError(f"ingest did not become ready; {ingest.log} says:\n{ingest.last_words()}")
        time.sleep(0.05)


def keep_running(stack: Stack, stopped: threading.Event, say: Callable[[str], None]) -> None:
    """Start services again that end by themselves, until stopped. Any of them may die at any moment."""
    while not stopped.wait(1.0):
        for service in stack.services.values():
            if (status := service.ended()) is not None and not stopped.is_set():
                say(f"{service.name} ended with status {status}; starting it again (log: {service.log})")
                service.start()


@contextmanager
def run_stack(
    state: Path,
    *,
    port: int | None = None,
    settings: dict[str, str] | None = None,
    say: Callable[[str], None] = lambda _line: None,
    configure: Callable[[EmbeddedPostgres], None] = lambda _postgres: None,
    pooler_port: int | None = None,
    postgres_settings: dict[str, str] | None = None,
) -> Iterator[Stack]:
    """Start everything, wait until it is ready, and stop it in good order afterwards.

    `configure` is called with the migrated server before any service starts. With `pooler_port`, services reach the
    database through the pooler that listens there, and directly only for what cannot be pooled. `postgres_settings`
    are the server's own.

    Raises `StackError`, `EmbeddedPostgresError`, `MigrationError`.
    """
    state.mkdir(parents=True, exist_ok=True)
    state.chmod(0o755)
    say("starting PostgreSQL")
    postgres = start_postgres(state / "postgres", settings=postgres_settings)
    try:
        kept = load_secrets(state)
        say("applying the migrations")
        prepare_database(postgres, kept.passwords)
        configure(postgres)
        say("starting ingest, scheduler, executor and notifier")
        chosen_port = port or free_port()
        processes = _service_processes(
            state, postgres, kept, port=chosen_port, settings=settings or {}, pooler_port=pooler_port
        )
        stack = Stack(state, postgres, kept, processes, f"http://127.0.0.1:{chosen_port}")
        try:
            for service in processes.values():
                service.start()
            _wait_until_ready(stack)
            yield stack
        finally:
            for name in ("ingest", "executor", "scheduler", "notifier"):
                processes[name].stop()
    finally:
        postgres.stop()
