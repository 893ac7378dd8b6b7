"""Answers that send a log in one piece, or the part of it that a range names (RFC 9110, sections 13.1.5 and 14)."""

from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from litestar import Request
from litestar.response import Stream

from services.ingest.parse_range import ByteRange, UnsatisfiableRangeError, parse_range
from services.ingest.problem_details import Problem

# What is handed to the server at once: it holds no more than this for a client who does not read.
_PIECE_BYTES: Final = 64 * 1024


def wants_range(request: Request[Any, Any, Any], etag: str | None) -> bool:
    """Whether a part may be sent: GET asks for it, and `If-Range` does not name what is not there any more."""
    condition = request.headers.get("if-range")
    return request.method == "GET" and "range" in request.headers and (condition is None or condition == etag)


def answer_range(
    request: Request[Any, Any, Any],
    source: Callable[[ByteRange], AsyncIterator[bytes]],
    *,
    total: int,
    etag: str | None,
    headers: dict[str, str],
    media_type: str,
) -> Stream:
    """Return the response of so many bytes, or of the part that is asked for. Raises `Problem`."""
    try:
        part = parse_range(request.headers.get("range"), total) if wants_range(request, etag) else None
    except UnsatisfiableRangeError:
        raise Problem(
            416,
            "range-not-satisfiable",
            f"The log has {total} bytes: nothing of that range is there.",
            headers={"Content-Range": f"bytes */{total}"},
        ) from None
    sent = part or ByteRange(0, total)
    headers = {**headers, "Accept-Ranges": "bytes", "Content-Length": str(sent.end - sent.start)}
    if etag is not None:
        headers["ETag"] = etag
    if part is not None:
        headers["Content-Range"] = f"bytes {part.start}-{part.end - 1}/{total}"
    return Stream(
        in_pieces(source(sent)) if request.method != "HEAD" else nothing(),
        status_code=200 if part is None else 206,
        media_type=media_type,
        headers=headers,
    )


async def cut_out(source: AsyncIterator[bytes], part: ByteRange) -> AsyncIterator[bytes]:
    """Yield the part of what a source yields from its beginning."""
    position = 0
    async for data in source:
        end = position + len(data)
        if end > part.start:
            yield data[max(0, part.start - position) : part.end - position]
        position = end
        if position >= part.end:
            return


async def in_pieces(source: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the same bytes, a bounded number at a time."""
    async for data in source:
        for start in range(0, len(data), _PIECE_BYTES):
            yield data[start : start + _PIECE_BYTES]


async def nothing() -> AsyncIterator[bytes]:
    """Yield an empty body."""
    yield b""
