"""What can go wrong with a repository, as types; and which of them git's own words mean."""

import re

from shared.errors import HowdahError


class GitError(HowdahError):
    """Git failed in a way that has no type of its own; the message is git's, without secrets."""


class InvalidRepositoryError(GitError):
    """The URL, ref or commit is not one that we would hand to git."""


class RepositoryUnreachableError(GitError):
    """The repository did not answer, is not there, or hides itself from us."""


class AuthenticationRefusedError(GitError):
    """The repository wants credentials, or other ones."""


class CommitNotFoundError(GitError):
    """The repository has no such commit, or no such ref."""


class MirrorBrokenError(GitError):
    """Our own copy is damaged or gone: fetch anew."""


_ABSENT = re.compile(
    r"not our ref|unadvertised object|couldn't find remote ref|no such remote ref|no matching remote head",
    re.IGNORECASE,
)
_REFUSED = re.compile(
    r"authentication failed|could not read (username|password)|permission denied \("
    r"|invalid username or password|returned error: 40[13]\b|access denied|not authorized|HTTP Basic: ",
    re.IGNORECASE,
)
_UNREACHABLE = re.compile(
    r"could not resolve|unable to (access|look up|connect)|connection (refused|timed out|reset|closed)"
    r"|operation (too slow|timed out)|repository .* (not found|does not exist)|repository not found"
    r"|does not appear to be a git repository|network is unreachable|no route to host"
    r"|host key verification failed|could not read from remote|remote end hung up|early EOF"
    r"|unexpected disconnect|not valid: is this a git|remote helper|transport '.*' not allowed"
    r"|\b(ssl|tls|gnutls)\b|returned error: [45]\d\d|protocol error",
    re.IGNORECASE,
)

_USERINFO = re.compile(r"(\w://)[^/\s@]*@")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\u00a0-\U0010ffff]+")
_MESSAGE_LIMIT = 600


def is_absent(stderr: str) -> bool:
    """Whether git says that the remote lacks, or does not give out, what was asked for."""
    return _ABSENT.search(stderr) is not None


def explain_failure(stderr: str, *, url: str, secrets: tuple[str, ...] = ()) -> GitError:
    """The error for what git said when a fetch from ``url`` failed; a plain GitError if we cannot tell."""
    message = clean_message(stderr, secrets=secrets)
    if _REFUSED.search(stderr):
        return AuthenticationRefusedError(f"{url} refused our credentials: {message}")
    if is_absent(stderr):
        return CommitNotFoundError(f"{url} does not have it: {message}")
    if _UNREACHABLE.search(stderr):
        return RepositoryUnreachableError(f"{url} cannot be reached: {message}")
    return GitError(f"git failed with {url}: {message}")


def clean_message(stderr: str, *, secrets: tuple[str, ...] = ()) -> str:
    """Git's message on one line, at most 600 characters, without secrets, users of URLs, control codes."""
    for secret in secrets:
        if secret:
            stderr = stderr.replace(secret, "***")
    lines = (_UNPRINTABLE.sub(" ", line).strip() for line in _USERINFO.sub(r"\1***@", stderr).splitlines())
    # Hints are for somebody at a terminal.
    told = [line for line in lines if line and not line.startswith(("hint:", "warning:"))]
    return "; ".join(told)[:_MESSAGE_LIMIT] or "git gave no reason"
