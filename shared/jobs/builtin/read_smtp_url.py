"""The operator's SMTP server, from one address with a password in it."""

import socket
from typing import Final, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from shared.errors import ConfigurationError

Tls = Literal["implicit", "required", "optional", "never"]

_PORTS: Final = {"smtp": 587, "smtps": 465}
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class SmtpServer(msgspec.Struct, frozen=True):
    """Where e-mails are handed in."""

    host: str
    port: int
    # implicit: from the first byte. The others: by STARTTLS, which must, may or must not be used.
    tls: Tls
    user: str | None
    password: str | None
    # How we introduce ourselves.
    helo: str


def read_smtp_url(url: str) -> SmtpServer:
    """Read `smtp://user:password@host:587?starttls=required&helo=ci.example.org`, or `smtps://…`.

    Raises `ConfigurationError`, whose message holds no part of the address.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        raise _bad("it is malformed") from None
    if parts.scheme not in _PORTS or not parts.hostname or parts.path not in {"", "/"} or parts.fragment:
        raise _bad("it must be like smtp://user:password@host:587 or smtps://user:password@host:465")
    if unknown := sorted(options.keys() - {"starttls", "helo"}):
        raise _bad(f"it knows starttls and helo, not {unknown[0]!r}")
    tls = _tls(parts.scheme, options.get("starttls"))
    user = None if parts.username is None else unquote(parts.username)
    if user is not None and tls in {"optional", "never"} and parts.hostname not in _LOOPBACK:
        raise _bad(f"a password is not sent with starttls={tls}: anybody on the way could read it")
    helo = options.get("helo") or _own_name()
    if not helo.isascii() or not helo.isprintable() or " " in helo:
        raise _bad("helo must be a host name")
    return SmtpServer(
        host=parts.hostname,
        port=port or _PORTS[parts.scheme],
        tls=tls,
        user=user,
        password=None if user is None else unquote(parts.password or ""),
        helo=helo,
    )


def _tls(scheme: str, starttls: str | None) -> Tls:
    match scheme, starttls:
        case "smtps", None:
            return "implicit"
        case "smtps", _:
            raise _bad("smtps is TLS from the start, and knows no starttls")
        case _, None | "required":
            return "required"
        case _, "optional":
            return "optional"
        case _, "never":
            return "never"
        case _:
            raise _bad("starttls must be required, optional or never")


def _own_name() -> str:
    """Return a name that servers accept (RFC 5321, section 4.1.4), without asking a name server for it."""
    name = socket.gethostname()
    return name if "." in name else "[127.0.0.1]"


def _bad(why: str) -> ConfigurationError:
    return ConfigurationError(f"HOWDAH_SMTP_URL: {why}")
