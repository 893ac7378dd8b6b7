"""From a payload to what is sent: the headers are checked, and completed by what says which job asks."""

import re
from typing import Final

import msgspec
from msgspec import UNSET

from shared.jobs import JobContext, PermanentError
from shared.jobs.builtin.http_request import HttpRequest
from shared.outgoing.send_request import Request

# RFC 9110, sections 5.1 and 5.5.
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[\x21-\x7e\x80-\U0010ffff]([\t\x20-\x7e\x80-\U0010ffff]*[\x21-\x7e\x80-\U0010ffff])?|")
# They say how a message is delimited, where it goes, or how the connection is used, which is not the payload's to say.
_REFUSED: Final = frozenset(
    {"connection", "content-length", "expect", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)
_MOST_HEADER_CHARACTERS: Final = 16 * 1024


def compose_request(payload: HttpRequest, context: JobContext) -> Request:
    """Return the request, which is the same at every attempt of a job.

    Raises `PermanentError`; the message names headers, never their values.
    """
    body = b""
    headers: dict[str, str] = {"idempotency-key": str(context.job_id)}
    if context.traceparent:
        headers["traceparent"] = context.traceparent
    if payload.json is not UNSET:
        body = msgspec.json.encode(payload.json)
        headers["content-type"] = "application/json"
    elif payload.body is not UNSET:
        body = payload.body.encode()
        headers["content-type"] = "text/plain; charset=utf-8"
    method = payload.method or ("GET" if payload.json is UNSET and payload.body is UNSET else "POST")
    return Request(
        body,
        headers | _checked(payload.headers),
        method,
        most_body_bytes=256 * 1024,
        body_seconds=payload.timeout_seconds,
    )


def _checked(headers: dict[str, str]) -> dict[str, str]:
    checked: dict[str, str] = {}
    for name, value in headers.items():
        lower = name.lower()
        if _NAME.fullmatch(name) is None:
            raise _invalid(f"{name[:60]!r} is no name of a header")
        if lower in _REFUSED or lower.startswith("proxy-"):
            raise _invalid(f"{name} is set by Howdah, not by a payload")
        if _VALUE.fullmatch(value) is None:
            raise _invalid(f"the value of {name} has control characters in it, or spaces around it")
        if lower in checked:
            raise _invalid(f"{name} is there twice")
        checked[lower] = value
    if sum(map(len, (*checked, *checked.values()))) > _MOST_HEADER_CHARACTERS:
        raise _invalid("they have more than 16 KiB together")
    return checked


def _invalid(why: str) -> PermanentError:
    return PermanentError(f"headers: {why}", reason="invalid_payload")
