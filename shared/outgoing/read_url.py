"""Reading an address: http or https, no user information, nothing that can be read in two ways."""

import re
import string
from typing import Final
from urllib.parse import quote, urlsplit

import msgspec

from shared.errors import HowdahError

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
# What urlsplit drops silently, and the backslash that browsers take for a slash.
_AMBIGUOUS: Final = re.compile(r"[\x00-\x20\x7f\\]")
_KEPT: Final = string.punctuation


class TargetRefusedError(HowdahError):
    """We do not send there; the message says why, and holds no part of the address but its host."""


class Target(msgspec.Struct, frozen=True):
    """Where a request goes."""

    scheme: str
    # ASCII, without brackets around an IPv6 address.
    host: str
    port: int
    # Path and query, as they stand in the request line.
    resource: str

    def authority(self) -> str:
        """Return the value of the Host header (RFC 9110, section 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def read_url(url: str) -> Target:
    """Take an address apart.

    Raises `TargetRefusedError`.
    """
    if _AMBIGUOUS.search(url):
        raise TargetRefusedError("the address has spaces, control characters or backslashes in it")
    try:
        parts = urlsplit(url)
        port = parts.port
        host = (parts.hostname or "").encode("ascii" if url.isascii() else "idna").decode()
    except ValueError:  # UnicodeError is one
        raise TargetRefusedError("the address is malformed") from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise TargetRefusedError("only http and https addresses are served")
    if not host:
        raise TargetRefusedError("the address names no host")
    if "@" in parts.netloc:
        raise TargetRefusedError("the address has a user name or password in it")
    if "%" in host:
        raise TargetRefusedError("the host has a percent sign in it")
    if port == 0:
        raise TargetRefusedError("port 0 is no port")
    resource = quote(parts.path or "/", safe=_KEPT)
    if parts.query:
        resource += "?" + quote(parts.query, safe=_KEPT)
    return Target(scheme=parts.scheme, host=host, port=port or _DEFAULT_PORTS[parts.scheme], resource=resource)
