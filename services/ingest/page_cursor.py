"""Pages of lists: where the next one begins, as an opaque text that holds the last row's sort key.

Keys are unique, and rows only ever appear at the front: pages neither repeat nor leave out a row that stood when the
first was read.
"""

import base64
import binascii
from datetime import UTC, datetime
from typing import Annotated, Final, TypeVar
from uuid import UUID

import msgspec
from litestar.params import QueryParameter

from services.ingest.problem_details import bad_field

Limit = Annotated[int, QueryParameter(ge=1, le=100, description="How many at most.")]
Cursor = Annotated[str | None, QueryParameter(description="The `next` of the page before.")]
DEFAULT_LIMIT: Final = 30

Key = TypeVar("Key")
_MOST_LENGTH: Final = 500


class TimeKey(msgspec.Struct, frozen=True, array_like=True):
    """The sort key of lists that begin with the newest."""

    at: datetime
    row_id: UUID


# Before every page: later than everything.
NEWEST: Final = TimeKey(datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))


def write_cursor(key: object) -> str:
    """Return the text of a sort key."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).rstrip(b"=").decode()


def read_cursor(text: str, key_type: type[Key]) -> Key:
    """Return the sort key of a text. Raises `Problem`."""
    try:
        if len(text) > _MOST_LENGTH:
            raise ValueError
        padded = text + "=" * (-len(text) % 4)
        key = msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=key_type)
    except (binascii.Error, ValueError, RecursionError):
        raise bad_field("cursor", "it is not the `next` of an earlier page") from None
    if (isinstance(key, TimeKey) and key.at.tzinfo is None) or (isinstance(key, str) and "\0" in key):
        raise bad_field("cursor", "it is not the `next` of an earlier page")
    return key
