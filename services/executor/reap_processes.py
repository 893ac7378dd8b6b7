"""The reaper: a tiny parent beside each executor, so that nothing outlives it.

The process that was started forks before it imports anything heavy. The parent becomes the reaper (and PID 1
where the executor is a container's first process); the child goes on as the executor. Each holds one end of
two pipes that no other process has, so each learns at once that the other is gone, however it went:

- the executor goes: the reaper kills every descendant. It is a child subreaper (prctl(2)), so a process
  that forked twice and called setsid comes home to it instead of to PID 1.
- the reaper goes: the executor kills its commands and leaves (`ReaperLink.wait_reaper_gone`).

Both killed in the same moment is what `sweep_leftovers` is for. This module imports light parts of the
standard library only.
"""

import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

from services.executor.harden_process import call_prctl, harden_process

_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
_FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)

# A killed process goes within microseconds, unless it hangs in the kernel (a dead NFS mount). It will never
# run code of its own again; waiting longer for it would only hang the container.
_STUCK_SECONDS = 10.0


class ReaperLink:
    """The executor's side of the pipes to its reaper."""

    __slots__ = ("_alive_fd", "_tie_fd", "reaper_pid")

    def __init__(self, *, reaper_pid: int, alive_fd: int, tie_fd: int) -> None:
        self.reaper_pid = reaper_pid
        self._alive_fd = alive_fd
        # Never used, only held: the reaper sees it close when this process ends, and not before.
        self._tie_fd = tie_fd

    async def wait_reaper_gone(self) -> None:
        """Return when the reaper has died. Kill every command then, and leave: nobody cleans up after us."""
        from anyio import wait_readable  # noqa: PLC0415 - the reaper must not carry the executor's imports

        await wait_readable(self._alive_fd)


def become_reaped(marker: str) -> ReaperLink:
    """Fork: the child returns and is the executor; the parent becomes its reaper and exits as it does.

    Call it first thing in ``__main__``, before threads, event loops and heavy imports. ``marker`` is the name
    that the reaper shows in process lists (15 bytes). Both processes are hardened (`harden_process`), because
    the reaper's memory holds the same environment as the executor's.

    SIGTERM, SIGINT, SIGHUP and SIGQUIT to the parent are forwarded. The executor leads a process group of its
    own: a Ctrl-C, or a signal to the whole group, so reaches it once and not twice (twice means: leave now).
    """
    harden_process()
    call_prctl(_PR_SET_CHILD_SUBREAPER, 1)  # not inherited by the fork; before it, so that no orphan is missed
    # Blocked across the fork: a signal that comes between fork and handlers waits instead of killing the
    # reaper.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {*_FORWARDED, signal.SIGCHLD})
    tie_read, tie_write = os.pipe()
    alive_read, alive_write = os.pipe()
    reaper = os.getpid()
    executor = os.fork()
    if executor != 0:
        os.close(tie_write)
        os.close(alive_read)
        _reap(executor, tie_read, mask, marker)
    os.close(tie_read)
    os.close(alive_write)
    os.setpgid(0, 0)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return ReaperLink(reaper_pid=reaper, alive_fd=alive_read, tie_fd=tie_write)


def _reap(executor: int, tie_fd: int, mask: set[int | signal.Signals], marker: str) -> NoReturn:
    try:
        call_prctl(_PR_SET_NAME, marker.encode()[:15])
        status = _watch_executor(executor, tie_fd, mask)
        status = _kill_descendants(executor, status)
    except BaseException as error:  # noqa: BLE001 - whatever happens here, nothing may go on running
        sys.stderr.write(f"howdah reaper: {error!r}\n")
        _kill_descendants(executor, None)
        status = 1
    _leave(status)


def _watch_executor(executor: int, tie_fd: int, mask: set[int | signal.Signals]) -> int | None:
    """Reap and forward until the executor ends. Returns its wait status; None: only its pipe has closed."""
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_read, False)
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    for number in (*_FORWARDED, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask - {*_FORWARDED, signal.SIGCHLD})
    poll = select.poll()
    poll.register(wake_read, select.POLLIN)
    poll.register(tie_fd, select.POLLIN)
    while True:
        # Reaping comes before forwarding: until it is reaped here, the executor's pid cannot belong to
        # another.
        status = _reap_zombies(executor)
        if status is not None:
            return status
        ready = {fd for fd, _ in poll.poll()}
        if wake_read in ready:
            for byte in os.read(wake_read, 512):
                if byte in _FORWARDED:
                    os.kill(executor, byte)
        if tie_fd in ready:
            return _reap_zombies(executor)


def _reap_zombies(executor: int) -> int | None:
    """Reap every dead child; return the executor's wait status when it was among them."""
    found = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        if pid == executor:
            found = status


def _kill_descendants(executor: int, status: int | None) -> int | None:
    """SIGKILL every descendant until none is left that can be killed; return the executor's wait status."""
    pause = 0.001
    deadline = time.monotonic() + _STUCK_SECONDS
    while True:
        # From the first killed to the last a process may fork; the children are found by the next round.
        living = _living_descendants(os.getpid())
        killed = [pid for pid in living if _kill(pid)]
        found = _reap_zombies(executor)
        status = status if found is None else found
        if not killed:
            return status
        if time.monotonic() > deadline:
            sys.stderr.write(f"howdah reaper: killed, but stuck in the kernel: {killed}\n")
            return status
        time.sleep(pause)
        pause = min(pause * 2, 0.05)


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # gone, or another user's (sudo): not ours to kill
        return False
    return True


def _living_descendants(root: int) -> list[int]:
    """Every descendant of ``root`` that is not a zombie."""
    children: dict[int, list[int]] = {}
    zombies = set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # proc(5): pid (name) state ppid …, and the name may itself hold brackets.
            state, parent = (entry / "stat").read_bytes().rpartition(b")")[2].split(None, 2)[:2]
        except (OSError, ValueError):
            continue
        pid = int(entry.name)
        children.setdefault(int(parent), []).append(pid)
        if state in b"ZX":
            zombies.add(pid)
    found = []
    to_visit = [root]
    while to_visit:
        below = children.get(to_visit.pop(), [])
        found += below
        to_visit += below
    return [pid for pid in found if pid not in zombies]


def _leave(status: int | None) -> NoReturn:
    """Exit as the executor did: its own code, or 128 plus the signal that killed it."""
    code = os.waitstatus_to_exitcode(status) if status is not None else 128 + signal.SIGKILL
    os._exit(code if code >= 0 else 128 - code)
