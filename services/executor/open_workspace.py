"""The folders of one job, from its claim to its end."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec import Struct

from services.executor.end_processes import end_marked
from services.executor.hold_state import HeldState, make_folder
from services.executor.remove_tree import remove_tree
from services.executor.resolve_run_as import RunAs, give_to

_log = logging.getLogger(__name__)


class Workspace(Struct, frozen=True):
    """Where a job works. ``checkout`` does not exist yet; ``scripts`` is ours, ``home`` the commands'."""

    checkout: Path
    scripts: Path
    home: Path
    mark: str


@asynccontextmanager
async def open_workspace(
    held: HeldState, job: str, *, run_as: RunAs | None = None, reaper_pid: int | None = None
) -> AsyncIterator[Workspace]:
    """Make the folders of ``job``. On leaving: kill every process that the job has left, then remove them.

    ``job`` is one attempt's name (a file name). Processes go first, for they would go on writing.
    """
    root = held.workspaces / job
    workspace = Workspace(
        checkout=root / "checkout", scripts=root / "scripts", home=root / "home", mark=held.job_mark(job)
    )
    try:
        # Commands may pass through the first two, and list or write neither: what we write there is not
        # theirs to swap.
        for folder, mode in ((root, 0o711), (workspace.scripts, 0o711), (workspace.home, 0o700)):
            make_folder(folder, mode)
        give_to(run_as, workspace.home)
        yield workspace
    finally:
        await end_marked(workspace.mark, reaper_pid=reaper_pid)
        problem = await remove_tree(root)
        if problem is not None:
            _log.warning("a workspace could not be removed", extra={"folder": str(root), "problem": problem})
