"""Remove what dead executors of this machine have left: processes that still run, workspaces.

The reaper sees to it that nothing is left (`reap_processes`); this is for the case that it was killed
together with its executor. To be called before the first claim, so that a rescued deploy never runs beside
its old self.
"""

from msgspec import Struct

from services.executor.end_processes import end_processes, find_marked
from services.executor.hold_state import HeldState, is_alive, list_tokens, lock_path, machine_mark
from services.executor.remove_tree import remove_tree


class Swept(Struct, frozen=True):
    """What was found and removed, for the log. ``problems`` says what could not be removed."""

    processes: list[str]
    workspaces: list[str]
    problems: list[str]


async def sweep_leftovers(held: HeldState) -> Swept:
    """Kill every process and remove every workspace of this state directory's executors that live no more.

    Processes are known by their mark (`hold_state`), so only those are found whose environment we may read:
    all of them for root, and those of our own user otherwise.
    """
    prefix = machine_mark(held.state) + "."
    alive = {held.token: True}

    def is_leftover(mark: str) -> bool:
        if not mark.startswith(prefix):
            return False
        token = mark[len(prefix) :].partition(".")[0]
        if token not in alive:
            alive[token] = is_alive(held.state, token)
        return not alive[token]

    ended = await end_processes(lambda: find_marked(is_leftover))
    workspaces: list[str] = []
    problems: list[str] = []
    for token in sorted(list_tokens(held.state) - {held.token}):
        if is_alive(held.state, token):
            continue
        folder = held.state / "workspaces" / token
        if folder.exists():
            workspaces += sorted(path.name for path in folder.iterdir()) or [token]
            problem = await remove_tree(folder)
            if problem is not None:
                problems.append(problem)
                continue
        # Last: while a workspace is left, so is the lock file that leads the next sweep to it.
        lock_path(held.state, token).unlink(missing_ok=True)
    return Swept(processes=[f"{entry.name} ({entry.pid})" for entry in ended], workspaces=workspaces, problems=problems)
