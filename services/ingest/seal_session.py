"""Page sessions: a sealed cookie that names a token, when it ends, and what the forms of its pages carry."""

import base64
import binascii
import secrets
import time
from typing import Final

import msgspec

from shared.errors import SealError
from shared.ids import TokenId
from shared.sealing import Sealer

COOKIE_NAME: Final = "howdah_session"
SESSION_SECONDS: Final = 12 * 3600
_PURPOSE: Final = "page session"


class Session(msgspec.Struct, frozen=True):
    """Who is signed in on a browser."""

    token_id: TokenId
    # Unix time, seconds.
    ends_at: float
    # Every form of the session's pages carries it, which pages of other sites cannot know.
    csrf: str


def begin_session(token_id: TokenId, now: float | None = None) -> Session:
    """Return a new session for the owner of a token."""
    began_at = time.time() if now is None else now
    return Session(token_id, began_at + SESSION_SECONDS, secrets.token_urlsafe(24))


def seal_session(sealer: Sealer, session: Session) -> str:
    """Return the cookie's value."""
    sealed = sealer.seal(msgspec.json.encode(session), purpose=_PURPOSE)
    return base64.urlsafe_b64encode(sealer.key_id.encode() + b":" + sealed).decode()


def open_session(sealer: Sealer, cookie: str, now: float | None = None) -> Session | None:
    """Return the session of a cookie; None if it is over, or was not made by us."""
    try:
        key_id, _, sealed = base64.b64decode(cookie, altchars=b"-_", validate=True).partition(b":")
        value = sealer.open(sealed, key_id=key_id.decode(), purpose=_PURPOSE)
        session = msgspec.json.decode(value, type=Session)
    except (binascii.Error, UnicodeDecodeError, ValueError, SealError, msgspec.DecodeError):
        return None
    return session if session.ends_at > (time.time() if now is None else now) else None
