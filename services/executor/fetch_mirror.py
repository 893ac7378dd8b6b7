"""Keep an incremental bare mirror of each repository, and bring a commit into it.

A mirror is a cache: whatever goes wrong with it, it is made anew. It is made under another name and renamed
once it is complete, so what has the name is whole. Its own refs (``refs/howdah/…``) only tell the next fetch
what is there already; they are flat, because a branch ``a`` and a later ``a/b`` cannot exist side by side in
one repository.
"""

import hashlib
import logging
from pathlib import Path

from msgspec import Struct

from services.executor.call_git import GitCredential, call_git, write_git_config
from services.executor.find_object import has_object
from services.executor.git_errors import (
    CommitNotFoundError,
    GitError,
    RepositoryUnreachableError,
    explain_failure,
    is_absent,
)
from services.executor.hold_lock import hold_lock
from services.executor.lay_out_repository import lay_out_repository
from services.executor.name_repository import check_commit, check_url, full_ref, mirror_name
from services.executor.remove_tree import remove_tree

_FETCH = (
    "fetch", "--quiet", "--force", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance",
    "--no-recurse-submodules",
)  # fmt: skip
# A killed git leaves these behind; under our lock nobody else can hold them.
_STALE_LOCKS = ("packed-refs.lock", "config.lock", "HEAD.lock", "shallow.lock")

_EVERYTHING = "all branches and tags"

_log = logging.getLogger(__name__)


class Mirror(Struct, frozen=True):
    """A bare repository of our own with a copy of ``url``."""

    path: Path
    url: str


async def fetch_commit(
    mirrors: Path,
    *,
    url: str,
    ref: str | None,
    commit: str,
    credential: GitCredential | None = None,
    timeout_seconds: float = 600.0,
) -> Mirror:
    """Return the mirror of ``url`` with ``commit`` in it; if it is there already, nothing is started.

    Asks for the commit itself, which is one round trip and brings nothing else; servers that do not give out
    single commits are asked for ``ref``, then for all branches and tags. One fetch per repository at a time,
    on this machine.

    Raises InvalidRepositoryError, RepositoryUnreachableError, AuthenticationRefusedError,
    CommitNotFoundError, GitError.
    """
    check_url(url)
    check_commit(commit)
    sources = [commit, *([] if ref is None else [full_ref(ref)]), _EVERYTHING]
    shown = "" if credential is None else f"{credential.username}\0{credential.password}"
    mirror = Mirror(path=mirrors / mirror_name(url, shown), url=url)
    if has_object(mirror.path, commit):
        return mirror
    request = _Request(
        mirrors=mirrors,
        url=url,
        commit=commit,
        sources=sources,
        credential=credential,
        timeout_seconds=timeout_seconds,
    )
    async with hold_lock(lock_of(mirror)):
        if has_object(mirror.path, commit):  # fetched while we waited for the lock
            return mirror
        write_git_config(mirrors)
        if mirror.path.exists():
            try:
                await _fetch_into(mirror.path, request)
            except GitError as error:
                # A type of its own says that the fault is not the mirror's.
                if type(error) is not GitError:
                    raise
                _log.warning("a mirror is made anew", extra={"url": url, "reason": str(error)})
            else:
                return mirror
        await _make_anew(mirror, request)
    return mirror


async def drop_mirror(mirror: Mirror) -> None:
    """Remove a mirror that turned out to be broken; the next fetch makes it anew."""
    async with hold_lock(lock_of(mirror)):
        await _remove(mirror.path)


def lock_of(mirror: Mirror) -> Path:
    """The lock under which a mirror is changed."""
    return mirror.path.with_name(f"{mirror.path.name}.lock")


class _Request(Struct, frozen=True):
    mirrors: Path
    url: str
    commit: str
    sources: list[str]
    credential: GitCredential | None
    timeout_seconds: float


async def _make_anew(mirror: Mirror, request: _Request) -> None:
    """Fetch into a new repository and put it in the place of whatever is there."""
    unborn = mirror.path.with_name(f"{mirror.path.name}.new")
    await _remove(unborn)
    try:
        lay_out_repository(unborn, head="ref: refs/heads/none", commit=request.commit, bare=True)
        await _fetch_into(unborn, request)
        await _remove(mirror.path)
        unborn.rename(mirror.path)
    finally:
        await _remove(unborn)


async def _fetch_into(repository: Path, request: _Request) -> None:
    """Try each source in turn until the commit has come."""
    for source in request.sources:
        target = _own_ref(request, source)
        for name in (*_STALE_LOCKS, f"{target}.lock"):
            (repository / name).unlink(missing_ok=True)
        # All branches together may get in each other's way over time; pruning makes room first.
        everything = ["+refs/heads/*:refs/howdah/heads/*", "+refs/tags/*:refs/howdah/tags/*"]
        refspecs = everything if source == _EVERYTHING else [f"+{source}:{target}"]
        fetched = await call_git(
            *_FETCH, *(["--prune"] if source == _EVERYTHING else []), "--", request.url, *refspecs,
            git_dir=repository, home=request.mirrors, timeout_seconds=request.timeout_seconds,
            credential_for=(request.url, request.credential),
        )  # fmt: skip
        if fetched.timed_out:
            raise RepositoryUnreachableError(f"{request.url} took longer than {request.timeout_seconds:g} s")
        said = fetched.stderr.decode(errors="replace")
        if fetched.code != 0 and not is_absent(said):
            secrets = (request.credential.password,) if request.credential else ()
            raise explain_failure(said, url=request.url, secrets=secrets)
        if has_object(repository, request.commit):
            return
    raise CommitNotFoundError(f"{request.url} has no commit {request.commit}")


def _own_ref(request: _Request, source: str) -> str:
    """Where in the mirror the tip of ``source`` is kept; single commits of one ref take turns."""
    name = request.sources[1] if source == request.commit else source
    return f"refs/howdah/{hashlib.sha256(name.encode()).hexdigest()[:32]}"


async def _remove(folder: Path) -> None:
    problem = await remove_tree(folder)
    if problem is not None:
        raise GitError(f"cannot remove {folder}: {problem}")
