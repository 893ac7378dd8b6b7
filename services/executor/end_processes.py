"""Kill processes until none is left: a job's stray ones, or all that carry a mark."""

import os
import signal
from collections.abc import Callable, Iterable

import anyio

from services.executor.find_processes import (
    ProcessEntry,
    list_children,
    list_processes,
    pick_descendants,
    read_mark,
    read_process,
)

# How long a killed process may take to go before it counts as stuck in the kernel, where it runs nothing of
# its own.
_STUCK_SECONDS = 5.0


def find_marked(accept: Callable[[str], bool], *, reaper_pid: int | None = None) -> set[ProcessEntry]:
    """Every process whose mark ``accept`` takes, and all that descend from one, this process left out.

    With ``reaper_pid`` only what descends from that process is looked at: all there can be while the reaper
    lives. A process whose environment we may not read (another user's) is found only as a descendant.
    """
    processes = list_processes()
    candidates = processes if reaper_pid is None else pick_descendants(processes, [reaper_pid])
    marked = {entry for entry in candidates if _is_marked(entry, accept)}
    return {
        entry
        for entry in marked | pick_descendants(processes, (entry.pid for entry in marked))
        if entry.pid != os.getpid()
    }


def _is_marked(entry: ProcessEntry, accept: Callable[[str], bool]) -> bool:
    mark = read_mark(entry.pid)
    return mark is not None and accept(mark)


async def end_marked(mark: str, *, reaper_pid: int | None = None) -> list[ProcessEntry]:
    """SIGKILL every process that carries exactly ``mark``, and its descendants; return who was killed.

    For the end of a job. A process that left its command's session and lost its parent is a child of the
    reaper by now; when the reaper has no child beside this process there is nothing to look for, and that
    look costs 10 µs.
    """
    if reaper_pid is not None and list_children(reaper_pid) == [os.getpid()]:
        return []
    return await end_processes(lambda: find_marked(lambda found: found == mark, reaper_pid=reaper_pid))


async def end_processes(find: Callable[[], Iterable[ProcessEntry]]) -> list[ProcessEntry]:
    """SIGKILL what ``find`` finds, wait until it is gone, and look again until nothing new is found.

    Again, because a process may fork between being found and being killed. Processes that may not be killed
    (another user's) are left. Not interrupted by cancellation. Returns who was killed.
    """
    killed: dict[tuple[int, int], ProcessEntry] = {}
    refused: set[tuple[int, int]] = set()
    with anyio.CancelScope(shield=True):
        while True:
            new = [entry for entry in find() if entry.key not in killed and entry.key not in refused]
            if not new:
                break
            for entry in new:
                if _kill(entry):
                    killed[entry.key] = entry
                else:
                    refused.add(entry.key)
            with anyio.move_on_after(_STUCK_SECONDS):
                await wait_gone(entry for entry in new if entry.key in killed)
    return list(killed.values())


async def wait_gone(entries: Iterable[ProcessEntry]) -> None:
    """Return when each of the processes has ended."""
    for entry in entries:
        pidfd = _open_process(entry)
        if pidfd is not None:
            try:
                await anyio.wait_readable(pidfd)
            finally:
                os.close(pidfd)


def _open_process(entry: ProcessEntry) -> int | None:
    """A descriptor of exactly this process, readable once it has ended; None when it is gone."""
    try:
        pidfd = os.pidfd_open(entry.pid)
    except ProcessLookupError:
        return None
    current = read_process(entry.pid)
    if current is None or current.key != entry.key:
        os.close(pidfd)
        return None
    return pidfd


def _kill(entry: ProcessEntry) -> bool:
    pidfd = _open_process(entry)
    if pidfd is None:
        return False
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return False
    finally:
        os.close(pidfd)
    return True
