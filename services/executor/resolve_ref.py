"""Ask a repository which commit a branch or tag is at now: for runs that are started without a commit."""

from pathlib import Path

from services.executor.call_git import GitCredential, call_git, write_git_config
from services.executor.git_errors import CommitNotFoundError, RepositoryUnreachableError, explain_failure
from services.executor.name_repository import check_url, full_ref


async def resolve_ref(
    mirrors: Path,
    *,
    url: str,
    ref: str,
    credential: GitCredential | None = None,
    timeout_seconds: float = 60.0,
) -> str:
    """The commit id that ``ref`` of ``url`` points at; an annotated tag is followed to its commit.

    Raises InvalidRepositoryError, RepositoryUnreachableError, AuthenticationRefusedError,
    CommitNotFoundError, GitError.
    """
    check_url(url)
    name = full_ref(ref)
    write_git_config(mirrors)
    listed = await call_git(
        "ls-remote", "--quiet", "--", url, name, f"{name}^{{}}",
        git_dir=mirrors, home=mirrors, timeout_seconds=timeout_seconds, credential_for=(url, credential),
    )  # fmt: skip
    if listed.timed_out:
        raise RepositoryUnreachableError(f"{url} took longer than {timeout_seconds:g} s")
    if listed.code != 0:
        secrets = (credential.password,) if credential else ()
        raise explain_failure(listed.stderr.decode(errors="replace"), url=url, secrets=secrets)
    found: dict[str, str] = {}
    for line in listed.stdout.decode(errors="replace").splitlines():
        target, _, listed_name = line.partition("\t")
        found[listed_name] = target
    commit = found.get(f"{name}^{{}}") or found.get(name)
    if commit is None:
        raise CommitNotFoundError(f"{url} has no {name}")
    return commit
