"""Sealing of what must stay secret in the database: AES-256-GCM (NIST SP 800-38D), keys from the operator.

A sealed value is a 12-byte random nonce followed by the ciphertext and its 16-byte tag. What the value is for is bound
in as associated data, so that a sealed value copied to another row or column cannot be opened there.
"""

import base64
import binascii
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.errors import ConfigurationError, SealError

_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12


class Sealer:
    """Seals under the first of the operator's keys, and opens under any of them."""

    def __init__(self, keys: dict[str, bytes]) -> None:
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self.key_id = next(iter(keys))

    def seal(self, value: bytes, *, purpose: str) -> bytes:
        """Return the sealed value; keep `key_id` and `purpose` to open it again."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._ciphers[self.key_id].encrypt(nonce, value, purpose.encode())

    def open(self, sealed: bytes, *, key_id: str, purpose: str) -> bytes:
        """Return the value.

        Raises `SealError` if the key is not known, or the value was altered, or sealed for another purpose.
        """
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise SealError(f"no sealing key {key_id!r}: add it to HOWDAH_SEALING_KEYS, after the current one")
        try:
            return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], purpose.encode())
        except InvalidTag:
            raise SealError(f"the sealed {purpose} cannot be opened with key {key_id!r}: it was altered") from None


def generate_key() -> str:
    """Return a new key, in the form that `parse_keys` reads."""
    return base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()


def parse_keys(entries: list[str]) -> dict[str, bytes]:
    """Read keys written as `id:base64`, the current one first.

    Raises `ConfigurationError`.
    """
    keys: dict[str, bytes] = {}
    for entry in entries:
        key_id, _, text = entry.partition(":")
        try:
            key = base64.b64decode(text, validate=True)
        except binascii.Error:
            key = b""
        if not key_id or len(key) != _KEY_BYTES:
            raise ConfigurationError(
                "HOWDAH_SEALING_KEYS: each entry must be `id:key`, "
                "the key 32 bytes in base64 (`openssl rand -base64 32`)"
            )
        keys[key_id] = key
    if not keys:
        raise ConfigurationError("HOWDAH_SEALING_KEYS is empty: at least one key is needed")
    return keys
