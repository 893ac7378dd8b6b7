"""The whole of Howdah, as a user has it: an own PostgreSQL, four services as processes, real git, a real target."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest

from deploy.embedded.postgres import EmbeddedPostgres, free_port
from deploy.embedded.stack import DATABASE, run_stack
from deploy.embedded.target import run_target
from tests.end_to_end.pooler import BINARY, run_pooler
from tests.end_to_end.world import World

OBSERVE = Path(__file__).parent / "observe_states.sql"


@contextmanager
def run_world(*, notify: bool = True, pooled: bool = False) -> Iterator[World]:
    folder = Path(tempfile.mkdtemp(prefix="howdah-test-stack-"))
    settings = {
        "HOWDAH_ALLOW_LOCAL_REPOSITORIES": "true",
        "HOWDAH_ALLOWED_NETWORKS": "127.0.0.0/8",
        "HOWDAH_GRACE_SECONDS": "2",
    }

    if pooled:
        settings["HOWDAH_PREPARE_STATEMENTS"] = "false"
    port = free_port() if pooled else None
    pooler = ExitStack()

    def configure(postgres: EmbeddedPostgres) -> None:
        if port is not None:
            pooler.enter_context(run_pooler(folder, port, postgres.port))
        with psycopg.connect(postgres.dsn(DATABASE), autocommit=True) as admin:
            admin.execute(OBSERVE.read_bytes())
            if not notify:
                admin.execute(f"alter database {DATABASE} set howdah.notify = 'off'".encode())

    try:
        with (
            pooler,
            run_stack(folder, settings=settings, configure=configure, pooler_port=port) as stack,
            run_target() as target,
            World(stack, target) as world,
        ):
            yield world
        left = [entry for entry in (folder / "executor" / "workspaces").rglob("*") if entry.is_file()]
        assert not left, f"workspaces were left behind: {left}"
        assert not list(commands_of(folder)), "commands were left behind"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def commands_of(folder: Path) -> Iterator[str]:
    """Processes that jobs of this stack have started and that still run."""
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"HOWDAH_WORKSPACE={folder}".encode() in environ.read_bytes():
                yield environ.parent.name
        except OSError:
            continue


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """The world of all tests; HOWDAH_TEST_WORLD=quiet is one without NOTIFY, `pooled` one behind PgBouncer."""
    chosen = os.environ.get("HOWDAH_TEST_WORLD", "")
    with run_world(notify=chosen != "quiet", pooled=chosen == "pooled") as running:
        yield running


@pytest.fixture(scope="session")
def pooled_world() -> Iterator[World]:
    """The same through PgBouncer in transaction mode."""
    if BINARY is None:
        pytest.skip("pgbouncer is not installed; CI installs it")
    with run_world(pooled=True) as running:
        yield running


@pytest.fixture(scope="session")
def quiet_world() -> Iterator[World]:
    """The same without a single NOTIFY."""
    with run_world(notify=False) as running:
        yield running
