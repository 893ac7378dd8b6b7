"""Signatures after Standard Webhooks 1.0 (www.standardwebhooks.com), of webhooks that come in and that go out."""

import base64
import binascii
import hmac
from typing import Final

_PREFIX: Final = "whsec_"


def signed_content(message_id: str, timestamp: str, body: bytes) -> bytes:
    """Return what is signed. `timestamp` is in Unix seconds, as the header `webhook-timestamp` writes it."""
    return b".".join((message_id.encode(), timestamp.encode(), body))


def sign_webhook(key: bytes, *, message_id: str, timestamp: str, body: bytes) -> str:
    """Return the value of the header `webhook-signature`."""
    return "v1," + base64.b64encode(hmac.digest(key, signed_content(message_id, timestamp, body), "sha256")).decode()


def signing_key(secret: str) -> bytes:
    """Return the key that a secret stands for: base64 after `whsec_`, anything else as it is, in UTF-8.

    Raises `ValueError`.
    """
    if not secret:
        raise ValueError("the secret is empty")
    if not secret.startswith(_PREFIX):
        return secret.encode()
    encoded = secret.removeprefix(_PREFIX)
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except binascii.Error:
        key = b""
    if not key:
        raise ValueError("what follows `whsec_` is not base64")
    return key
