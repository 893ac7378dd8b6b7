"""Check what is about to be handed to git, and name the mirror of a URL. Pure functions."""

import hashlib
import re
from urllib.parse import SplitResult, urlsplit

from services.executor.git_errors import InvalidRepositoryError

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
# The short form of ssh URLs. Before its colon there is no slash, after which it would be a path's.
_SCP_FORM = re.compile(r"(?P<host>(?:[\w.-]+@)?[\w.-]+):(?P<path>[^/].*|/.*)", re.ASCII)
_DEFAULT_PORTS = {"http": 80, "https": 443, "ssh": 22, "git": 9418}
# What git refuses in names of refs: see the manual page of git-check-ref-format.
_BAD_IN_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(?:/|$)|[./]$|^[/.-]")


def check_commit(commit: str) -> None:
    """Raise InvalidRepositoryError unless ``commit`` is a full SHA-1 or SHA-256 in lower-case hexadecimal."""
    if not _COMMIT.fullmatch(commit):
        raise InvalidRepositoryError(f"{commit[:80]!r} is not a full commit id")


def full_ref(ref: str) -> str:
    """The full name of ``ref``: itself when it begins with ``refs/``, otherwise a branch.

    Raises InvalidRepositoryError for what git does not allow in the name of a ref.
    """
    if not ref or ref == "@" or _BAD_IN_REF.search(ref):
        raise InvalidRepositoryError(f"{ref[:80]!r} is not the name of a branch or ref")
    return ref if ref.startswith("refs/") else f"refs/heads/{ref}"


def check_url(url: str) -> None:
    """Raise InvalidRepositoryError for what is no URL, or an option to git, or holds a password.

    Allowed are http, https, ssh, git and file URLs, ``user@host:path``, and absolute paths.
    """
    if not url or url.startswith("-") or re.search(r"[\x00-\x20\x7f]", url):
        raise InvalidRepositoryError(f"{url[:80]!r} is not a repository URL")
    if url.startswith("/"):
        return
    scheme, separator, _ = url.partition("://")
    if not separator:
        if _SCP_FORM.fullmatch(url) and "::" not in url:
            return
        raise InvalidRepositoryError("a repository URL is https://…, ssh://…, user@host:path, or an absolute path")
    parts = _split(url)
    if scheme.lower() not in {*_DEFAULT_PORTS, "file"}:
        raise InvalidRepositoryError(f"repositories are not fetched over {scheme[:20]!r}")
    if scheme.lower() != "file" and (not parts.hostname or parts.hostname.startswith("-")):
        raise InvalidRepositoryError("the repository URL names no host")
    if parts.password is not None or (parts.username is not None and scheme.lower() in {"http", "https"}):
        raise InvalidRepositoryError("credentials do not belong in the repository URL: give them to the pipeline")


def mirror_name(url: str, shown: str = "") -> str:
    """The folder name of the mirror of ``url``: the SHA-256 of its normalised form and of the credential shown to it.

    Whoever shows another credential, or none, has another mirror: a private repository's commits are not for every
    pipeline that knows its URL.
    """
    return hashlib.sha256("\0".join((_normalise(url), shown)).encode()).hexdigest()


def url_origin(url: str) -> str | None:
    """Scheme, host and port of an http(s) URL, to which alone its credential may be sent; None for others."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme.lower() in {"http", "https"} else None


def _normalise(url: str) -> str:
    """One form for URLs that differ in the case of scheme and host, default port, slashes, ``.git``."""
    if "://" not in url:
        scp = None if url.startswith("/") else _SCP_FORM.fullmatch(url)
        url = f"ssh://{scp['host']}/{scp['path']}" if scp else f"file://{url}"
    parts = _split(url)
    port = _port(parts)
    host = (parts.hostname or "") + ("" if port in {None, _DEFAULT_PORTS.get(parts.scheme)} else f":{port}")
    user = f"{parts.username}@" if parts.username else ""
    path = re.sub(r"/+", "/", parts.path).rstrip("/").removesuffix(".git").rstrip("/")
    return f"{parts.scheme}://{user}{host}{path}" + (f"?{parts.query}" if parts.query else "")


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _port(parts)
    except ValueError as error:
        raise InvalidRepositoryError(f"not a repository URL: {error}") from None
    return parts


def _port(parts: SplitResult) -> int | None:
    return parts.port
