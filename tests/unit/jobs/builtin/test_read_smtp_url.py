"""The operator's SMTP server is read from one address, and a password in it is neither sent openly nor told."""

import pytest

from shared.errors import ConfigurationError
from shared.jobs.builtin.read_smtp_url import read_smtp_url


def test_an_address_says_all() -> None:
    server = read_smtp_url("smtp://ci%40x:p%3Ass@mail.example.org:2525?helo=ci.example.org")
    assert (server.host, server.port, server.tls) == ("mail.example.org", 2525, "required")
    assert (server.user, server.password, server.helo) == ("ci@x", "p:ss", "ci.example.org")


@pytest.mark.parametrize(
    ("url", "port", "tls"),
    [
        ("smtp://mail.example.org", 587, "required"),
        ("smtp://mail.example.org?starttls=required", 587, "required"),
        ("smtp://mail.example.org/?starttls=optional", 587, "optional"),
        ("smtp://localhost:25?starttls=never", 25, "never"),
        ("smtps://mail.example.org", 465, "implicit"),
        ("smtps://[2001:db8::1]:4650", 4650, "implicit"),
    ],
)
def test_ports_and_encryption_have_safe_defaults(url: str, port: int, tls: str) -> None:
    server = read_smtp_url(url)
    assert (server.port, server.tls, server.user, server.password) == (port, tls, None, None)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mail.example.org",
        "http://u:secret@mail.example.org",
        "smtp://",
        "smtp://u:secret@",
        "smtp://u:secret@h:99999",
        "smtp://u:secret@h:port",
        "smtp://u:secret@[::1",
        "smtp://u:secret@h/path",
        "smtp://u:secret@h?starttls",
        "smtp://u:secret@h?starttls=maybe",
        "smtp://u:secret@h?startls=never",
        "smtp://u:secret@h?helo=a%20b",
        "smtp://u:secret@h?helo=a%0d%0aRSET",
        "smtps://u:secret@h?starttls=required",
    ],
)
def test_a_malformed_address_is_named_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError, match="HOWDAH_SMTP_URL: ") as caught:
        read_smtp_url(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("starttls", ["never", "optional"])
def test_a_password_does_not_leave_the_machine_without_encryption(starttls: str) -> None:
    with pytest.raises(ConfigurationError, match="anybody on the way could read it"):
        read_smtp_url(f"smtp://u:secret@mail.example.org?starttls={starttls}")
    assert read_smtp_url(f"smtp://u:secret@localhost?starttls={starttls}").password == "secret"
