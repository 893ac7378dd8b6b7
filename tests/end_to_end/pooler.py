"""PgBouncer in transaction mode before a stack's database, from the system's package."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from deploy.bootstrap_roles import SERVICES
from deploy.embedded.stack import DATABASE, load_secrets

BINARY = shutil.which("pgbouncer", path=f"/usr/sbin:{os.environ['PATH']}")
_PATIENCE_SECONDS = 20.0


@contextmanager
def run_pooler(state: Path, port: int, postgres_port: int) -> Iterator[None]:
    """Pool every service's connections, in transaction mode, on `port`."""
    assert BINARY is not None
    passwords = load_secrets(state).passwords
    folder = Path(tempfile.mkdtemp(prefix="howdah-test-pgbouncer-"))
    users = folder / "users.txt"
    users.write_text("".join(f'"howdah_{name}" "{getattr(passwords, name)}"\n' for name in SERVICES))
    config = folder / "pgbouncer.ini"
    config.write_text(
        f"""
[databases]
{DATABASE} = host=127.0.0.1 port={postgres_port} dbname={DATABASE}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
default_pool_size = 8
max_client_conn = 200
ignore_startup_parameters = extra_float_digits
logfile = {folder / "pgbouncer.log"}
"""
    )
    command = [BINARY, str(config)]
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        for path in (folder, users, config):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
        command[1:1] = ["-u", "nobody"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        dsn = f"postgresql://howdah_ingest:{passwords.ingest}@127.0.0.1:{port}/{DATABASE}"
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                psycopg.connect(dsn).close()
                break
            except psycopg.OperationalError:
                assert process.poll() is None, (folder / "pgbouncer.log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)
