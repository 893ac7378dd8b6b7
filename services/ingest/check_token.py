"""API tokens: `hwd_<id>_<secret>`. Of the secret only the SHA-256 is stored: it is random and long enough for that."""

import hashlib
import hmac
import re
import secrets
from typing import Final
from uuid import UUID

import msgspec

from services.ingest.queries.tokens import FindTokenRow, find_token
from services.ingest.recent_values import RecentValues
from shared.db import Pool, query
from shared.ids import TokenId, new_id

# A revoked token may still open doors for this long, on a replica that used it a moment ago.
REMEMBERED_SECONDS: Final = 5.0

_SECRET_BYTES: Final = 24
_FORM: Final = re.compile(r"hwd_([0-9a-f]{32})_([0-9a-f]{48})")
_NO_HASH: Final = bytes(hashlib.sha256().digest_size)


class NewToken(msgspec.Struct, frozen=True):
    """A token that has just been made; `text` is what its owner keeps, and is shown once."""

    token_id: TokenId
    text: str
    secret_hash: bytes


def make_token() -> NewToken:
    """Return a new random token."""
    token_id = TokenId(new_id())
    secret = secrets.token_hex(_SECRET_BYTES)
    return NewToken(token_id, f"hwd_{token_id.hex}_{secret}", hash_secret(secret))


def hash_secret(secret: str) -> bytes:
    """Return what is stored of a token's secret."""
    return hashlib.sha256(secret.encode()).digest()


class TokenBook:
    """Finds out whether a token holds, and for whom."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._recent: RecentValues[TokenId, FindTokenRow | None] = RecentValues(
            seconds=REMEMBERED_SECONDS, max_size=1024
        )

    async def check(self, text: str) -> FindTokenRow | None:
        """Return the token that `text` is, or None if it opens nothing. Raises `DatabaseUnavailableError`."""
        match = _FORM.fullmatch(text)
        if match is None:
            return None
        found = await self.find(TokenId(UUID(match[1])))
        # The same work is done for an unknown id as for a known one.
        known_hash = _NO_HASH if found is None else found.secret_hash
        return found if hmac.compare_digest(hash_secret(match[2]), known_hash) else None

    async def find(self, token_id: TokenId) -> FindTokenRow | None:
        """Return the token if it is neither revoked nor expired. Raises `DatabaseUnavailableError`."""
        return await self._recent.get(token_id, self._read)

    async def holds(self, token_id: TokenId) -> bool:
        """Whether the token is neither revoked nor expired. Raises `DatabaseUnavailableError`."""
        return await self.find(token_id) is not None

    def forget(self, token_id: TokenId) -> None:
        """Look the token up afresh next time."""
        self._recent.forget(token_id)

    async def _read(self, token_id: TokenId) -> FindTokenRow | None:
        return await query(self._pool, lambda connection: find_token(connection, token_id=token_id))
