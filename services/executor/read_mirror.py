"""Read single things out of a mirror for the plan job: a file of a commit, the paths that a push changed."""

import re

from services.executor.call_git import call_git
from services.executor.fetch_mirror import Mirror
from services.executor.find_object import has_object
from services.executor.git_errors import GitError, InvalidRepositoryError, MirrorBrokenError, clean_message
from services.executor.name_repository import check_commit

# A pipeline file of one byte more than this limit, and so any longer one, is told from one of just this size.
BLOB_LIMIT = 256 * 1024 + 1
_PATHS_LIMIT_BYTES = 8 * 1024 * 1024
_TIMEOUT_SECONDS = 60.0


async def read_blob(mirror: Mirror, commit: str, path: str, *, limit_bytes: int = BLOB_LIMIT) -> bytes | None:
    """The first ``limit_bytes`` of the file ``path`` at ``commit``; None when there is no such file.

    Raises MirrorBrokenError when the commit or the file cannot be read though it should be there.
    """
    check_commit(commit)
    if not {"", ".", ".."}.isdisjoint(path.split("/")) or "\n" in path or "\0" in path:
        raise InvalidRepositoryError(f"{path[:80]!r} is not the path of a file")
    _require(mirror, commit)
    found = await _read_object(mirror, f"{commit}:{path}", limit_bytes)
    # Git calls a file missing too when it cannot read the way there.
    if found is None and await _read_object(mirror, f"{commit}^{{tree}}", BLOB_LIMIT) is None:
        raise MirrorBrokenError(f"the mirror of {mirror.url} cannot read commit {commit}")
    return found[1] if found is not None and found[0] == b"blob" else None


async def _read_object(mirror: Mirror, name: str, limit_bytes: int) -> tuple[bytes, bytes] | None:
    """Kind and content (cut to the limit) of an object; None when there is none of that name."""
    header_room = 256
    read = await call_git(
        "cat-file", "--batch",
        git_dir=mirror.path, timeout_seconds=_TIMEOUT_SECONDS,
        stdin=f"{name}\n".encode(), limit_bytes=limit_bytes + header_room,
    )  # fmt: skip
    header, _, content = read.stdout.partition(b"\n")
    found = re.fullmatch(rb"[0-9a-f]+ (\w+) (\d+)", header)
    if found is None and header.endswith(b" missing") and read.code == 0:
        return None
    if found is None or len(content) < min(int(found[2]), limit_bytes):
        raise MirrorBrokenError(f"cannot read {name}: {clean_message(read.stderr.decode(errors='replace'))}")
    return found[1], content[: min(int(found[2]), limit_bytes)]


async def list_changed_paths(mirror: Mirror, before: str, after: str) -> list[str] | None:
    """The paths that differ between two commits, renames as two paths, in git's order.

    None when that cannot be told: ``before`` is not in the mirror (a new branch, a commit that was pushed
    away), or the list is longer than 8 MiB. Bytes that are not UTF-8 become U+FFFD. Raises MirrorBrokenError.
    """
    check_commit(after)
    if not before.strip("0"):
        return None
    check_commit(before)
    _require(mirror, after)
    if not has_object(mirror.path, before):
        return None
    listed = await call_git(
        "diff-tree",
        "-r",
        "-z",
        "--name-only",
        "--no-renames",
        before,
        after,
        git_dir=mirror.path,
        timeout_seconds=_TIMEOUT_SECONDS,
        limit_bytes=_PATHS_LIMIT_BYTES,
    )
    if listed.truncated:
        return None
    if listed.timed_out:
        raise GitError(f"comparing {before} with {after} took longer than {_TIMEOUT_SECONDS:g} s")
    if listed.code != 0:
        raise MirrorBrokenError(f"cannot compare {before} with {after}: {listed.stderr[:300].decode(errors='replace')}")
    return [path.decode(errors="replace") for path in listed.stdout.split(b"\0") if path]


def _require(mirror: Mirror, commit: str) -> None:
    if not has_object(mirror.path, commit):
        raise MirrorBrokenError(f"the mirror of {mirror.url} has lost commit {commit}")
