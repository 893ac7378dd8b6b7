"""From an answer to a result that JSON can hold and that is bounded."""

import base64
import codecs
import re
from typing import Final, Literal

from shared.jobs.builtin.http_request import HttpResponse
from shared.outgoing.outcome import Answered

_CHARSET: Final = re.compile(r";\s*charset\s*=\s*\"?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
# Only these: Python's codecs unpack archives, too, and NUL is nothing that PostgreSQL's JSON could hold.
_TEXT_CHARSET: Final = re.compile(
    r"utf-(8|16|32)|iso-8859-\d{1,2}|windows-125\d|koi8-[ru]|shift_jis|euc-(jp|kr)|gb(k|2312|18030)|big5",
    re.IGNORECASE,
)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_MOST_HEADER_CHARACTERS: Final = 16 * 1024


def read_response(answered: Answered) -> HttpResponse:
    """Return the answer as a result."""
    headers = _joined(answered.headers)
    body, encoding = _readable(answered.body, headers.get("content-type", ""), complete=answered.complete)
    return HttpResponse(answered.status, headers, body, encoding, truncated=not answered.complete)


def _joined(headers: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Join what came several times (RFC 9110, section 5.3); what is too much is left out."""
    joined: dict[str, str] = {}
    left = _MOST_HEADER_CHARACTERS
    for name, value in headers:
        left -= len(name) + len(value)
        if left < 0:
            break
        separator = "\n" if name == "set-cookie" else ", "
        joined[name] = f"{joined[name]}{separator}{value}" if name in joined else value
    return joined


def _readable(body: bytes, content_type: str, *, complete: bool) -> tuple[str, Literal["text", "base64"]]:
    declared = _CHARSET.search(content_type)
    for charset in ("utf-8", declared[1] if declared else ""):
        text = _decoded(body, charset, complete=complete) if _TEXT_CHARSET.fullmatch(charset) else None
        if text is not None and _CONTROL.search(text) is None:
            return text, "text"
    return base64.b64encode(body).decode(), "base64"


def _decoded(body: bytes, charset: str, *, complete: bool) -> str | None:
    try:
        # A body that was cut off may end amid a character.
        return codecs.getincrementaldecoder(charset)().decode(body, final=complete)
    except (LookupError, ValueError):
        return None
