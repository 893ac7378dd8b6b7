"""Keep the number of packs in a mirror small: each fetch adds one, each checkout links them all."""

import logging
from pathlib import Path

from services.executor.call_git import call_git
from services.executor.fetch_mirror import Mirror, lock_of
from services.executor.git_errors import MirrorBrokenError, clean_message
from services.executor.hold_lock import hold_lock

_MANY_PACKS = 50
_TIMEOUT_SECONDS = 1800.0
_LOOK_SECONDS = 600.0

logger = logging.getLogger(__name__)


async def repack_mirrors(mirrors: Path) -> float:
    """Look once through all mirrors; returns the seconds until the next look. A broken one is left as it is."""
    for mirror in _list_mirrors(mirrors):
        try:
            await repack_mirror(mirror)
        except MirrorBrokenError as error:
            logger.warning("a mirror was not repacked: %s", error)
    return _LOOK_SECONDS


def _list_mirrors(mirrors: Path) -> list[Mirror]:
    folders = sorted(mirrors.iterdir()) if mirrors.exists() else []
    return [Mirror(path=path, url=path.name) for path in folders if (path / "objects" / "pack").is_dir()]


async def repack_mirror(mirror: Mirror, *, many: int = _MANY_PACKS) -> bool:
    """Merge small packs when there are more than ``many``; return whether that was done.

    For after a job, not before it: a fetch of the same repository waits meanwhile; checkouts and reads do
    not. Every object is kept, reachable or not, because a waiting job may need a commit that was pushed away.
    Work trees have links of their own to the packs they use. Raises MirrorBrokenError.
    """
    if _count_packs(mirror) <= many:
        return False
    async with hold_lock(lock_of(mirror)):
        if _count_packs(mirror) <= many:
            return False
        for leftover in (mirror.path / "objects" / "pack").glob("tmp_*"):  # of a fetch that was killed
            leftover.unlink(missing_ok=True)
        # Geometric: the big old pack is not written again each time (git-repack(1), git 2.32).
        repacked = await call_git(
            "repack", "--quiet", "-d", "--geometric=2", git_dir=mirror.path, timeout_seconds=_TIMEOUT_SECONDS
        )
    if repacked.code != 0:
        raise MirrorBrokenError(f"cannot repack: {clean_message(repacked.stderr.decode(errors='replace'))}")
    return True


def _count_packs(mirror: Mirror) -> int:
    return sum(1 for _ in (mirror.path / "objects" / "pack").glob("*.pack"))
