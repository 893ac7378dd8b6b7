"""Signatures of the generic webhook, after Standard Webhooks 1.0 (www.standardwebhooks.com)."""

import base64
import binascii
import hashlib
import hmac
from typing import Final

_PREFIX: Final = "whsec_"


def sign_webhook(key: bytes, *, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of the header `webhook-signature`. `timestamp` is in Unix seconds, of this try."""
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


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
