"""Read what a commit says of itself: for runs whose request did not bring it along."""

import msgspec

from services.executor.call_git import call_git
from services.executor.fetch_mirror import Mirror
from services.executor.git_errors import MirrorBrokenError, clean_message
from services.executor.name_repository import check_commit

_TIMEOUT_SECONDS = 60.0


class CommitHead(msgspec.Struct, frozen=True):
    """The first line of a commit's message, and the name of its author."""

    title: str
    author: str


async def read_commit(mirror: Mirror, commit: str) -> CommitHead:
    """Raise MirrorBrokenError when the commit cannot be read though it should be there."""
    check_commit(commit)
    read = await call_git(
        "log", "-1", "--no-show-signature", "--encoding=UTF-8", "--format=%s%x00%an", commit, "--",
        git_dir=mirror.path, timeout_seconds=_TIMEOUT_SECONDS,
    )  # fmt: skip
    title, separator, author = read.stdout.decode(errors="replace").strip("\n").partition("\0")
    if read.code != 0 or not separator:
        raise MirrorBrokenError(f"cannot read {commit}: {clean_message(read.stderr.decode(errors='replace'))}")
    return CommitHead(title=title, author=author)
