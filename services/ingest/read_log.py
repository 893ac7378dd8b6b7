"""The log of one attempt: `/api/v1/jobs/{job}/log` as text, whole or its last lines; `…/log/raw` as its bytes came."""

from collections.abc import AsyncIterator, Iterable
from functools import partial
from typing import Annotated, Final

from litestar import get
from litestar.params import PathParameter, QueryParameter
from litestar.response import Stream

from services.ingest.assemble_lines import LineAssembler, Lines
from services.ingest.authenticate import require_viewer
from services.ingest.problem_details import not_found, problem_responses
from services.ingest.queries.logs import read_log_chunks
from services.ingest.queries.rows import LogChunk
from services.ingest.render_ansi import strip_ansi
from services.ingest.resources import FromResources
from services.ingest.row_cursor import ChunkCursor
from services.ingest.seek_log_tail import seek_log_tail
from services.ingest.show_chunk import decode
from services.ingest.watch_logs import AttemptLog, LogState, read_states
from shared.db import Pool, query
from shared.ids import JobId

_PAGE_ROWS: Final = 500
_PAGE_BYTES: Final = 256 * 1024
_MOST_EPOCH: Final = 2**31 - 1
_RESPONSES: Final = problem_responses(401, 403, 404, 422, 503)

JobInPath = Annotated[JobId, PathParameter(description="The job's id.")]
AttemptParameter = Annotated[
    int | None, QueryParameter(ge=1, le=_MOST_EPOCH, description="The attempt's epoch; the latest without it.")
]


@get("/jobs/{job:str}/log", guards=[require_viewer], tags=["jobs"], media_type="text/plain", responses=_RESPONSES)
async def read_log(
    job: JobInPath,
    resources: FromResources,
    attempt: AttemptParameter = None,
    tail: Annotated[int | None, QueryParameter(ge=1, le=100_000, description="Only so many lines at the end.")] = None,
) -> Stream:
    """Return the log as UTF-8 text, so far as it is written: line by line, control sequences left out."""
    state = await _state_of(resources.pool, job, attempt)
    chosen = state.attempts[-1] if state.attempts else None
    if chosen is None:
        return _text(_nothing())
    cursor = ChunkCursor(chosen.epoch, 0)
    first_line = 0
    if tail is not None:
        cursor, first_line = await seek_log_tail(resources.pool, job, state, tail)
    return _text(_lines(resources.pool, job, chosen, cursor, first_line))


@get(
    "/jobs/{job:str}/log/raw",
    guards=[require_viewer],
    tags=["jobs"],
    media_type="application/octet-stream",
    responses=_RESPONSES,
)
async def read_raw_log(job: JobInPath, resources: FromResources, attempt: AttemptParameter = None) -> Stream:
    """Return the log's bytes as the commands wrote them, streams mixed by the time of reading."""
    state = await _state_of(resources.pool, job, attempt)
    chosen = state.attempts[-1] if state.attempts else None
    source = _nothing() if chosen is None else _bytes(resources.pool, job, chosen)
    return Stream(
        source,
        media_type="application/octet-stream",
        headers={"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="{job}.log"'},
    )


async def _state_of(pool: Pool, job_id: JobId, epoch: int | None) -> LogState:
    """Return how far the log goes, up to the attempt that was asked for. Raises `Problem`."""
    state = (await read_states(pool, [job_id])).get(job_id)
    if state is None:
        raise not_found("job of that id")
    if epoch is None:
        return state
    if state.attempt(epoch) is None:
        raise not_found(f"attempt {epoch} of that job")
    return LogState(state.state, state.final, tuple(known for known in state.attempts if known.epoch <= epoch))


async def _pages(pool: Pool, job_id: JobId, attempt: AttemptLog, cursor: ChunkCursor) -> AsyncIterator[list[LogChunk]]:
    """Yield the chunks that are stored by now, a bounded page at a time."""
    seq = cursor.seq
    while seq < attempt.last_seq:
        chunks = await query(
            pool,
            partial(
                read_log_chunks,
                log_day=attempt.day,
                job_id=job_id,
                epoch=attempt.epoch,
                after_seq=seq,
                max_rows=_PAGE_ROWS,
                max_bytes=_PAGE_BYTES,
            ),
        )
        if not chunks:
            return
        yield chunks
        seq = chunks[-1].seq


async def _bytes(pool: Pool, job_id: JobId, attempt: AttemptLog) -> AsyncIterator[bytes]:
    async for chunks in _pages(pool, job_id, attempt, ChunkCursor(attempt.epoch, 0)):
        yield b"".join(chunk.data for chunk in chunks)


async def _lines(
    pool: Pool, job_id: JobId, attempt: AttemptLog, cursor: ChunkCursor, first_line: int
) -> AsyncIterator[bytes]:
    assembler = LineAssembler()

    def shown(found: Iterable[Lines]) -> bytes:
        return strip_ansi(decode(b"".join(lines.since(first_line) for lines in found))).encode()

    async for chunks in _pages(pool, job_id, attempt, cursor):
        if text := shown(lines for chunk in chunks for lines in assembler.feed(chunk)):
            yield text
    yield shown(assembler.finish())


async def _nothing() -> AsyncIterator[bytes]:
    yield b""


def _text(source: AsyncIterator[bytes]) -> Stream:
    return Stream(source, media_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"})
