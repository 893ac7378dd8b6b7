"""Remove a folder, whatever a job has left in it."""

from pathlib import Path

import anyio

from services.executor.collect_output import collect_output

_ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"}
_TIMEOUT_SECONDS = 600.0


async def remove_tree(folder: Path) -> str | None:
    """Remove ``folder`` and all below it; return why that failed, None when it is gone. Never interrupted.

    Done by rm(1): it keeps a large tree off this process, does not follow links swapped in underneath it, and
    handles trees that are deeper than a path may be long.
    """
    if not _is_there(folder):
        return None
    with anyio.CancelScope(shield=True):
        error = await _call("rm", "-rf", "--", str(folder))
        if error is not None:
            # A job may take its own permissions on its folders away; its files' do not matter for removal.
            await _call("chmod", "-R", "u+rwx", "--", str(folder))
            error = await _call("rm", "-rf", "--", str(folder))
    return error


def _is_there(folder: Path) -> bool:
    return folder.exists() or folder.is_symlink()


async def _call(*argv: str) -> str | None:
    collected = await collect_output(argv, cwd=Path("/"), env=_ENV, timeout_seconds=_TIMEOUT_SECONDS)
    if collected.code == 0:
        return None
    return collected.stderr[:500].decode(errors="replace").strip() or f"{argv[0]} ended with {collected.code}"
