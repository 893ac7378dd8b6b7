"""Make a job's work tree from the mirror: the repository by hand, the files by one git process."""

import os
import re
from pathlib import Path

import anyio

from services.executor.call_git import call_git
from services.executor.fetch_mirror import Mirror
from services.executor.git_errors import GitError, MirrorBrokenError, clean_message
from services.executor.lay_out_repository import lay_out_repository
from services.executor.name_repository import check_commit
from services.executor.remove_tree import remove_tree
from services.executor.resolve_run_as import RunAs, give_to

_NOT_THE_MIRRORS_FAULT = re.compile(
    r"no space left|quota exceeded|permission denied|read-only file system|(unable to|cannot) create"
    r"|file name too long|too many open files|out of memory|invalid path",
    re.IGNORECASE,
)


class CheckoutFailedError(GitError):
    """The work tree could not be written; the mirror is not to blame."""


async def check_out(
    mirror: Mirror, commit: str, into: Path, *, run_as: RunAs | None = None, timeout_seconds: float = 600.0
) -> None:
    """Make ``into``, which must not exist, a work tree at ``commit``: HEAD detached, ``origin`` set.

    Its packs are hard links, so that it stays whole when the mirror is repacked or removed, and so ``into``
    must be on the mirror's file system. All but the packs belongs to ``run_as``, which is also who writes the
    files; the packs stay read-only and ours. (Commands that run under our own user could make them writable,
    as they could the mirror.)

    On failure and cancellation ``into`` is gone again. Raises MirrorBrokenError, CheckoutFailedError.
    """
    check_commit(commit)
    complete = False
    try:
        _make_repository(mirror, commit, into, run_as)
        # Writing files is what takes the time: two writers pay on a slow disk (from 100 files), and cost
        # little on a fast one.
        written = await call_git(
            "-c", "checkout.workers=2", "-c", "core.hooksPath=/dev/null",
            "read-tree", "-u", "--reset", commit,
            git_dir=into / ".git", work_tree=into, run_as=run_as, timeout_seconds=timeout_seconds,
        )  # fmt: skip
        if written.timed_out:
            raise CheckoutFailedError(f"writing the work tree took longer than {timeout_seconds:g} s")
        if written.code != 0:
            said = written.stderr.decode(errors="replace")
            kind = CheckoutFailedError if _NOT_THE_MIRRORS_FAULT.search(said) else MirrorBrokenError
            raise kind(f"cannot check out {commit}: {clean_message(said)}")
        complete = True
    finally:
        if not complete:
            with anyio.CancelScope(shield=True):
                await remove_tree(into)


def _make_repository(mirror: Mirror, commit: str, into: Path, run_as: RunAs | None) -> None:
    git_dir = into / ".git"
    into.mkdir(mode=0o700)
    lay_out_repository(git_dir, head=commit, commit=commit, bare=False, origin=mirror.url)
    try:
        _link_packs(mirror.path / "objects" / "pack", git_dir / "objects" / "pack")
    except FileNotFoundError as error:
        raise MirrorBrokenError(f"the mirror of {mirror.url} is gone: {error.filename}") from error
    if run_as is not None:
        # The inside first: what is not theirs yet, commands of that user cannot swap under our hands.
        for folder, _, files in os.walk(git_dir, topdown=False):
            here = Path(folder)
            if here.name != "pack":
                give_to(run_as, *(here / name for name in files))
            give_to(run_as, here)
        give_to(run_as, into)


def _link_packs(source: Path, target: Path) -> None:
    """Link every pack with its index.

    A repack may swap packs meanwhile. It puts new ones in place before it removes old ones, so the set is
    complete when a second look finds the very same names.
    """
    linked: set[str] = set()
    while True:
        present = (path.name for path in source.iterdir())
        names = {name for name in present if name.startswith("pack-") and not name.endswith(".keep")}
        if names == linked:
            return
        for name in linked - names:
            (target / name).unlink(missing_ok=True)
        linked &= names
        for name in names - linked:
            try:
                os.link(source / name, target / name)
            except FileNotFoundError:
                continue  # repacked away since we looked
            linked.add(name)
