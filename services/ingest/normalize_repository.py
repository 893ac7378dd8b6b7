"""A repository's identity: one key for all the URLs that mean it. Pure.

`https://github.com/You/App.git`, `git@github.com:you/app` and `ssh://git@ssh.github.com:443/you/app/` are one.
"""

import posixpath
import re
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from shared.errors import HowdahError

_DEFAULT_PORTS: Final = {"https": 443, "http": 80, "ssh": 22, "git": 9418}
# user@host:path, the short form of ssh URLs.
_SCP_FORM: Final = re.compile(r"(?:(?P<user>[\w.+-]+)@)?(?P<host>[\w.-]+|\[[0-9a-fA-F:]+\]):(?P<path>[^:].*)", re.ASCII)
_UNPRINTABLE: Final = re.compile(r"[\x00-\x20\x7f]")
# GitHub's names for itself: for git over the HTTPS port, and with the browser's prefix.
_ALIASES: Final = {("ssh.github.com", 443): "github.com", ("www.github.com", None): "github.com"}
_CASELESS: Final = re.compile(r"(?:.+\.)?(?:github\.com|ghe\.com)")
_LENGTH: Final = 1000


class BadRepositoryError(HowdahError):
    """The URL is not one that Howdah fetches from; the message says why."""


def normalize_repository(url: str, *, allow_local: bool) -> str:
    """Return the repository's key: host, port if it is not the scheme's own, and path.

    Raises `BadRepositoryError` for a URL of another kind, with credentials in it, or of this machine unless allowed.
    """
    if not url or len(url) > _LENGTH or url.startswith("-") or _UNPRINTABLE.search(url):
        raise BadRepositoryError("it is not a repository URL")
    if url.startswith("/"):
        return _local_key(url, allow_local=allow_local)
    scheme, separator, _ = url.partition("://")
    if not separator:
        return _scp_key(url)
    if scheme.lower() == "file":
        return _file_key(url, allow_local=allow_local)
    if scheme.lower() not in _DEFAULT_PORTS:
        raise BadRepositoryError("it must be https://…, ssh://…, git://… or user@host:path")
    parts = _split(url)
    if parts.password is not None or (parts.username is not None and scheme.lower() != "ssh"):
        raise BadRepositoryError("credentials do not belong in the URL: give them as git_credential")
    if parts.query or parts.fragment:
        raise BadRepositoryError("a repository URL has neither ? nor #")
    default_port = _DEFAULT_PORTS[scheme.lower()]
    return _key(parts.hostname or "", parts.port if parts.port != default_port else None, unquote(parts.path))


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise BadRepositoryError(str(error)) from None
    return parts


def _scp_key(url: str) -> str:
    match = _SCP_FORM.fullmatch(url)
    # A bare word before the colon is more likely a scheme (`ext::…`, `javascript:…`) than a host.
    if match is None or (match["user"] is None and "." not in match["host"]):
        raise BadRepositoryError("it must be https://…, ssh://…, git://… or user@host:path")
    return _key(match["host"].strip("[]"), None, match["path"])


def _file_key(url: str, *, allow_local: bool) -> str:
    parts = _split(url)
    if parts.netloc not in ("", "localhost"):
        raise BadRepositoryError("a file:// URL names no host")
    return _local_key(unquote(parts.path), allow_local=allow_local)


def _local_key(path: str, *, allow_local: bool) -> str:
    if not allow_local:
        raise BadRepositoryError("repositories on this machine are not allowed here (HOWDAH_ALLOW_LOCAL_REPOSITORIES)")
    if "\0" in path or not path.startswith("/"):
        raise BadRepositoryError("it is not an absolute path")
    return "file:" + _bare(posixpath.normpath(path))


def _key(host: str, port: int | None, path: str) -> str:
    host = host.lower().rstrip(".")
    if not host or host.startswith("-"):
        raise BadRepositoryError("it names no host")
    if (host, port) in _ALIASES:
        host, port = _ALIASES[host, port], None
    path = _bare(posixpath.normpath("/" + path.lstrip("/")))
    if path == "/" or _UNPRINTABLE.search(path):
        raise BadRepositoryError("it names no repository")
    if _CASELESS.fullmatch(host):
        path = path.lower()
    shown_host = f"[{host}]" if ":" in host else host
    return shown_host + (f":{port}" if port is not None else "") + path


def _bare(path: str) -> str:
    bare = path.removesuffix(".git").rstrip("/")
    return bare or "/"
