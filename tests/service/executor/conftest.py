"""Fixtures of the executor's operating-system side; each test must leave no process and no descriptor behind."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import uvloop

from services.executor.resolve_run_as import RunAs, resolve_run_as
from services.executor.spawn_process import mark_processes
from tests.service.executor.git_remote import GitRemote
from tests.service.executor.record_output import RecordedOutput


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session", autouse=True)
def first_loop() -> None:
    """Let libuv open what it opens once per process."""
    uvloop.new_event_loop().close()


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    before = _children(), _descriptors()
    yield
    mark_processes(None)
    assert _children() - before[0] == set(), "a process was left, living or as a zombie"
    left = {fd: name for fd, name in _descriptors().items() if fd not in before[1]}
    assert left == {}


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder in memory where there is such a place: these tests write thousands of small files."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder with a random name in it
    parent = memory if os.access(memory, os.W_OK) else None
    with TemporaryDirectory(prefix="howdah-test-", dir=parent) as folder:
        yield Path(folder)


@pytest.fixture
def output() -> RecordedOutput:
    return RecordedOutput()


@pytest.fixture
def nobody() -> RunAs:
    if os.geteuid() != 0:
        pytest.skip("changing users needs root")
    return resolve_run_as("nobody")


@pytest.fixture
def open_path(tmp_path: Path) -> Path:
    """A folder that other users can enter too."""
    tmp_path.chmod(0o711)
    return tmp_path


@pytest.fixture
def remote(tmp_path: Path) -> GitRemote:
    return GitRemote(tmp_path / "remote")


def _children() -> set[int]:
    found: set[int] = set()
    for entry in Path("/proc/self/task").iterdir():
        # A thread may end while we look; what were its children are another's then.
        with suppress(FileNotFoundError, ProcessLookupError):
            found |= {int(pid) for pid in (entry / "children").read_text().split()}
    return found


def _descriptors() -> dict[int, str]:
    found = {}
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found[int(entry.name)] = str(entry.readlink())
        except FileNotFoundError:  # the listing's own
            continue
    return found
