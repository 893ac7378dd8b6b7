"""Hold an executor's place in its state directory, and the mark that its processes carry.

Several executors of one machine may share a state directory: they then share the mirrors. Each has a token of
its own, and holds a lock (flock(2)) on ``executors/<token>.lock`` for as long as it lives. What carries, or
is filed under, a token whose lock nobody holds was left behind: see `sweep_leftovers`.
"""

import fcntl
import hashlib
import os
import secrets
from pathlib import Path

from services.executor.spawn_process import mark_processes

_LOCK_SUFFIX = ".lock"


class HeldState:
    """A place in a state directory, held until `release` or the end of the process."""

    def __init__(self, state: Path, token: str, lock_fd: int) -> None:
        self.state = state
        self.token = token
        self.mirrors = state / "mirrors"
        self.workspaces = state / "workspaces" / token
        self._lock_fd = lock_fd

    @property
    def mark(self) -> str:
        """The mark of this executor's processes; those of a job carry `job_mark`, which begins with it."""
        return f"{machine_mark(self.state)}.{self.token}"

    def job_mark(self, job: str) -> str:
        """The mark of every process of one job."""
        return f"{self.mark}.{job}"

    def owns(self, mark: str) -> bool:
        """Whether a process with this mark is one of this executor's."""
        return mark == self.mark or mark.startswith(f"{self.mark}.")

    def release(self) -> None:
        """Give the place up; the next sweep may take what is left in it."""
        lock_path(self.state, self.token).unlink(missing_ok=True)
        os.close(self._lock_fd)


def hold_state(state: Path) -> HeldState:
    """Make what is missing of the state directory, take a place in it, and mark all processes to come.

    Folders that commands' users must pass through can be entered, not listed, by all (0711), unless the state
    directory was made by somebody who thought otherwise; mirrors are the executor's alone.

    Raises OSError when the directory cannot be used.
    """
    state = state.absolute()
    if not state.exists():
        state.parent.mkdir(parents=True, exist_ok=True)
        make_folder(state, 0o711)
    for name, mode in (("executors", 0o700), ("mirrors", 0o700), ("workspaces", 0o711)):
        make_folder(state / name, mode)
    token = secrets.token_hex(8)
    path = lock_path(state, token)
    # Locked under another name first: a lock file that a sweep can see is held from the beginning.
    unborn = path.with_suffix(".new")
    fd = os.open(unborn, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX)
    unborn.rename(path)
    held = HeldState(state, token, fd)
    make_folder(held.workspaces, 0o711)
    mark_processes(held.mark)
    return held


def make_folder(path: Path, mode: int) -> None:
    """Make a folder with exactly this mode, whatever the umask; an existing one gets it too."""
    path.mkdir(exist_ok=True)
    path.chmod(mode)


def machine_mark(state: Path) -> str:
    """What every mark of this state directory begins with."""
    return hashlib.sha256(os.fsencode(state.resolve())).hexdigest()[:16]


def lock_path(state: Path, token: str) -> Path:
    """The lock file of an executor."""
    return state / "executors" / f"{token}{_LOCK_SUFFIX}"


def is_alive(state: Path, token: str) -> bool:
    """Whether the executor ``token`` lives, which is to say, holds its lock."""
    try:
        fd = os.open(lock_path(state, token), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def list_tokens(state: Path) -> set[str]:
    """Every token that has a lock file or a workspace folder."""
    locks = {path.stem for path in (state / "executors").glob(f"*{_LOCK_SUFFIX}")}
    return locks | {path.name for path in (state / "workspaces").iterdir()}
