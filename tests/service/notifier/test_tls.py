"""HTTPS targets are believed only with a certificate for their name from an authority that the operator trusts."""

import ipaddress
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import msgspec
import pytest
from cryptography import x509

from shared.db import Pool
from shared.outgoing.guard_address import Address
from shared.outgoing.trust_authorities import trust_authorities
from tests.service.notifier.drive import look_once, make_means
from tests.service.notifier.outbox import Outbox
from tests.service.notifier.target import respond, run_target
from tests.service.outgoing.authority import Authority, trusted_authority

HOST = "hooks.example.org"


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Authority]:
    """An authority that the notifier is told to trust, as an operator would."""
    with trusted_authority(tmp_path, monkeypatch) as trusted:
        yield trusted


async def loopback(_host: str) -> list[Address]:
    return [ip_address("127.0.0.1")]


async def test_the_name_is_kept_for_certificate_sni_and_host(outbox: Outbox, pool: Pool, authority: Authority) -> None:
    asked_for: list[str | None] = []
    context = authority.server_context(x509.DNSName(HOST))
    context.sni_callback = lambda _socket, name, _context: asked_for.append(name)
    async with run_target(respond(200), tls=context) as target:
        notification = outbox.add(outbox.add_channel(target.url(scheme="https", host=HOST)))
        await look_once(pool, make_means(outbox, lookup=loopback))
    assert asked_for == [HOST]
    assert target.received[0].headers["host"] == f"{HOST}:{target.port}"
    assert outbox.row(notification).state == "delivered"


async def test_a_certificate_for_an_address_is_accepted(outbox: Outbox, pool: Pool, authority: Authority) -> None:
    context = authority.server_context(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    async with run_target(respond(200), tls=context) as target:
        notification = outbox.add(outbox.add_channel(target.url(scheme="https")))
        await look_once(pool, make_means(outbox))
    assert outbox.row(notification).state == "delivered"


class Flaw(msgspec.Struct, frozen=True):
    """What is wrong with a certificate, and how it is told."""

    reason: str
    name: str = HOST
    days: int = 1
    trusted: bool = True


@pytest.mark.parametrize(
    "flaw",
    [
        Flaw("TLS: Hostname mismatch", name="other.example.org"),
        Flaw("TLS: certificate has expired", days=-1),
        Flaw("TLS: unable to get local issuer certificate", trusted=False),
    ],
)
async def test_a_certificate_that_does_not_hold_gets_no_message(
    outbox: Outbox, pool: Pool, authority: Authority, monkeypatch: pytest.MonkeyPatch, flaw: Flaw
) -> None:
    if not flaw.trusted:
        monkeypatch.delenv("SSL_CERT_FILE")
    context = authority.server_context(x509.DNSName(flaw.name), days=flaw.days)
    async with run_target(respond(200), tls=context) as target:
        notification = outbox.add(outbox.add_channel(target.url(scheme="https", host=HOST)))
        await look_once(pool, make_means(outbox, lookup=loopback))
    assert not target.received
    row = outbox.row(notification)
    assert row.state == "pending"
    assert (row.last_error or "").startswith(flaw.reason)


async def test_a_target_that_does_not_speak_tls_gets_no_message(outbox: Outbox, pool: Pool) -> None:
    async with run_target(respond(200)) as target:
        notification = outbox.add(outbox.add_channel(target.url(scheme="https")))
        await look_once(pool, make_means(outbox))
    row = outbox.row(notification)
    assert row.state == "pending"
    assert (row.last_error or "").startswith(("TLS: ", "no connection", "the connection"))


def test_a_system_without_authorities_takes_those_of_certifi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    trust_authorities.cache_clear()
    try:
        assert trust_authorities().cert_store_stats()["x509_ca"] > 50
    finally:
        trust_authorities.cache_clear()
