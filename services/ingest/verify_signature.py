"""Signatures of webhooks: GitHub's `X-Hub-Signature-256`, and Standard Webhooks. Pure; time is a parameter.

HMAC-SHA256 (RFC 2104) over the raw body, before anything is parsed, compared in constant time.
Sources: GitHub Docs, "Validating webhook deliveries"; the Standard Webhooks specification 1.0.
"""

import hashlib
import hmac
import re
import secrets
from typing import Final

import msgspec

from shared.sign_webhook import sign_webhook, signed_content, signing_key

# A generic push that was signed longer ago, or further ahead, than this is refused.
TOLERANCE_SECONDS: Final = 300

_GITHUB_PREFIX: Final = "sha256="
_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}", re.ASCII)


class Signed(msgspec.Struct, frozen=True):
    """The signature holds. `digest` is the SHA-256 of what was signed: the same content has the same one."""

    digest: bytes


class Unsigned(msgspec.Struct, frozen=True):
    """The signature is missing or does not hold; `reason` says so to the sender."""

    reason: str


class StandardHeaders(msgspec.Struct, frozen=True):
    """The three headers of Standard Webhooks; None where one is missing."""

    message_id: str | None
    timestamp: str | None
    signature: str | None


def make_secret() -> str:
    """Return a new secret that GitHub and the generic hook both take as it stands."""
    return secrets.token_hex(32)


def sign_github(secret: str, body: bytes) -> str:
    """Return the header `X-Hub-Signature-256` for a body."""
    return _GITHUB_PREFIX + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def verify_github(secret: str, signature: str | None, body: bytes) -> Signed | Unsigned:
    """Check GitHub's signature. A missing one costs the same work as a wrong one."""
    holds = hmac.compare_digest(sign_github(secret, body).encode(), (signature or "").encode())
    if holds:
        return Signed(hashlib.sha256(body).digest())
    if not signature:
        return Unsigned("the header X-Hub-Signature-256 is missing: enter the pipeline's secret at GitHub")
    return Unsigned("the signature in X-Hub-Signature-256 does not hold: another secret, or a changed body")


def verify_standard(secret: str, headers: StandardHeaders, body: bytes, now: float) -> Signed | Unsigned:
    """Check a Standard Webhooks signature, then its age. `now` is Unix time in seconds."""
    message_id, timestamp = headers.message_id or "", headers.timestamp or ""
    key = signing_key(secret)
    expected = sign_webhook(key, message_id=message_id, timestamp=timestamp, body=body).encode()
    holds = False
    for given in (headers.signature or "").split(" "):
        holds |= hmac.compare_digest(expected, given.encode())
    if not (message_id and timestamp and headers.signature):
        return Unsigned(
            "sign with the headers webhook-id, webhook-timestamp and webhook-signature: see docs/webhooks.md"
        )
    if not holds:
        return Unsigned("the signature in webhook-signature does not hold: another secret, or a changed message")
    if not _TIMESTAMP.fullmatch(timestamp) or abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        return Unsigned(f"webhook-timestamp is not within {TOLERANCE_SECONDS} s of this server's clock")
    return Signed(hashlib.sha256(signed_content(message_id, timestamp, body)).digest())
