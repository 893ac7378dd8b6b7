"""HTTPS targets are believed only with a certificate for their name from an authority that the operator trusts."""

import datetime as dt
import ipaddress
import ssl
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from shared.db import Pool
from shared.outgoing.guard_address import Address
from shared.outgoing.trust_authorities import trust_authorities
from tests.service.notifier.drive import look_once, make_means
from tests.service.notifier.outbox import Outbox
from tests.service.notifier.target import respond, run_target

HOST = "hooks.example.org"


class Authority(msgspec.Struct, frozen=True):
    """A certificate authority of the test's own."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    def server_context(self, *names: x509.GeneralName, days: int = 1) -> ssl.SSLContext:
        """Return a server's context with a certificate for these names."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _builder("target", self.certificate.subject, key, days=days)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        path = self.folder / "target.pem"
        path.write_bytes(_pem(key) + certificate.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: str, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, *, days: int = 1
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=10))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Authority]:
    """An authority that the notifier is told to trust, as an operator would."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder("test authority", _name("test authority"), key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=True,
                crl_sign=True,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .sign(key, hashes.SHA256())
    )
    bundle = tmp_path / "authorities.pem"
    bundle.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    trust_authorities.cache_clear()
    yield Authority(tmp_path, key, certificate)
    trust_authorities.cache_clear()


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
