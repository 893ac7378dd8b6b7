"""The log of one attempt: `/api/v1/jobs/{job}/log` as text, whole or its last lines; `…/log/raw` as its bytes came.

Both answer `HEAD` and ranges. Of the raw log, only what a range asks for is read; text has to be made from the
beginning to know where a range of it lies.
"""

from collections.abc import AsyncIterator, Iterable
from typing import Annotated, Any, Final

import anyio
from litestar import HttpMethod, Request, route
from litestar.params import PathParameter, QueryParameter
from litestar.response import Stream

from services.ingest.answer_range import answer_range, cut_out, in_pieces, nothing, wants_range
from services.ingest.assemble_lines import LineAssembler, Lines
from services.ingest.authenticate import require_viewer
from services.ingest.find_attempt import AttemptParameter, find_kept_log
from services.ingest.parse_range import ByteRange
from services.ingest.problem_details import problem_responses
from services.ingest.read_chunks import read_page
from services.ingest.read_log_states import AttemptLog
from services.ingest.render_ansi import last_states, plain
from services.ingest.resources import FromResources, Resources
from services.ingest.row_cursor import ChunkCursor
from services.ingest.seek_log import Tail, seek_byte, seek_tail
from services.ingest.show_chunk import decode
from shared.ids import JobId
from shared.logs.stored_chunk import StoredChunk
from shared.version import CODE_VERSION

_TEXT: Final = "text/plain; charset=utf-8"
_BYTES: Final = "application/octet-stream"
_RESPONSES: Final = problem_responses(401, 403, 404, 410, 416, 422, 503)

JobInPath = Annotated[JobId, PathParameter(description="The job's id.")]
TailParameter = Annotated[int | None, QueryParameter(ge=1, le=100_000, description="Only so many lines at the end.")]


@route(
    "/jobs/{job:str}/log",
    http_method=[HttpMethod.GET, HttpMethod.HEAD],
    guards=[require_viewer],
    tags=["jobs"],
    media_type="text/plain",
    responses=_RESPONSES,
)
async def read_log(
    request: Request[Any, Any, Any],
    job: JobInPath,
    resources: FromResources,
    attempt: AttemptParameter = None,
    tail: TailParameter = None,
) -> Stream:
    """Return the log as UTF-8 text, so far as it is written: line by line, control sequences left out.

    A `Range` is answered, too; of the raw log it costs less.
    """
    return await _answer_text(request, resources, job, attempt, tail)


@route(
    "/jobs/{job:str}/log/raw",
    http_method=[HttpMethod.GET, HttpMethod.HEAD],
    guards=[require_viewer],
    tags=["jobs"],
    media_type=_BYTES,
    responses=_RESPONSES,
)
async def read_raw_log(
    request: Request[Any, Any, Any], job: JobInPath, resources: FromResources, attempt: AttemptParameter = None
) -> Stream:
    """Return the log's bytes as the commands wrote them, streams mixed by the time of reading; or a `Range` of them."""
    return await _answer_raw(request, resources, job, attempt)


async def _answer_text(
    request: Request[Any, Any, Any], resources: Resources, job_id: JobId, epoch: int | None, tail: int | None
) -> Stream:
    headers = {"Cache-Control": "no-store"}
    chosen = await find_kept_log(resources.pool, job_id, epoch)
    if chosen is None:
        return Stream(nothing(), media_type=_TEXT, headers=headers)
    begin = Tail(0, 0) if tail is None else await seek_tail(resources.pool, job_id, chosen, tail)
    etag = _etag(chosen, f"{begin.first_line}-{CODE_VERSION}")
    if not wants_range(request, etag):
        headers |= {"Accept-Ranges": "bytes"} | ({"ETag": etag} if etag is not None else {})
        source = nothing() if request.method == "HEAD" else in_pieces(_text(resources, job_id, chosen, begin))
        return Stream(source, media_type=_TEXT, headers=headers)
    total = 0
    async for text in _text(resources, job_id, chosen, begin):
        total += len(text)
    return answer_range(
        request,
        lambda part: cut_out(_text(resources, job_id, chosen, begin), part),
        total=total,
        etag=etag,
        headers=headers,
        media_type=_TEXT,
    )


async def _answer_raw(
    request: Request[Any, Any, Any], resources: Resources, job_id: JobId, epoch: int | None
) -> Stream:
    headers = {"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="{job_id}.log"'}
    chosen = await find_kept_log(resources.pool, job_id, epoch)
    return answer_range(
        request,
        lambda part: _bytes(resources, job_id, chosen, part) if chosen is not None else nothing(),
        total=0 if chosen is None else chosen.byte_count,
        etag=None if chosen is None else _etag(chosen, "raw"),
        headers=headers,
        media_type=_BYTES,
    )


def _etag(attempt: AttemptLog, form: str) -> str | None:
    """Return what names these very bytes; None while more may be added."""
    return f'"{attempt.epoch}-{attempt.last_seq}-{form}"' if attempt.ended else None


async def _pages(
    resources: Resources, job_id: JobId, attempt: AttemptLog, seq: int, *, whole: bool = False
) -> AsyncIterator[list[StoredChunk]]:
    """Yield the chunks after one that are stored by now, a page at a time; what others read is not displaced.

    `whole`: nothing may be passed over; raises `DamagedBlockError`.
    """
    while seq < attempt.last_seq:
        found = resources.log_feeds.find(job_id, ChunkCursor(attempt.epoch, seq))
        if found is not None:
            chunks, seq = found.since(seq), found.last.seq
            await anyio.lowlevel.checkpoint()
        else:
            page = await read_page(resources.pool, job_id, attempt, seq)
            if whole and page.damage is not None:
                raise page.damage
            chunks, seq = page.chunks[max(0, seq - page.after_seq) :], page.last_seq
        yield [chunk for chunk in chunks if chunk.seq <= attempt.last_seq]


async def _bytes(resources: Resources, job_id: JobId, attempt: AttemptLog, part: ByteRange) -> AsyncIterator[bytes]:
    if part.start == part.end:
        return
    place = await seek_byte(resources.pool, job_id, attempt, part.start)
    skipped, left = place.bytes_on, part.end - part.start
    # Bytes that are at another place than they say are worse than none: the answer is cut off instead.
    async for chunks in _pages(resources, job_id, attempt, place.after_seq, whole=True):
        data = b"".join(chunk.data for chunk in chunks)
        yield data[skipped : skipped + left]
        left -= max(0, len(data) - skipped)
        skipped = max(0, skipped - len(data))
        if left <= 0:
            return


async def _text(resources: Resources, job_id: JobId, attempt: AttemptLog, begin: Tail) -> AsyncIterator[bytes]:
    assembler = LineAssembler()

    def shown(found: Iterable[Lines]) -> bytes:
        text = decode(b"".join(lines.since(begin.first_line) for lines in found))
        return plain(last_states(text)).encode()

    async for chunks in _pages(resources, job_id, attempt, begin.after_seq):
        if text := shown(lines for chunk in chunks for lines in assembler.feed(chunk)):
            yield text
    yield shown(assembler.finish())
