"""The chunks of an attempt, wherever they are: in blocks up to a point, in rows beyond it.

What is read moves meanwhile: rows are packed into blocks, and removed some time after. So rows that are not where they
were thought to be are looked for again: how far the attempt is packed only ever rises, and blocks are there before
rows go.
"""

import logging
from collections.abc import Sequence
from functools import partial
from typing import Final

import msgspec

from services.ingest.queries.logs import ReadNewChunksRow, StreamLogChunksRow, read_log_block, read_log_chunks
from services.ingest.queries.rows import LogChunk
from services.ingest.read_log_states import AttemptLog, read_states
from shared.db import Pool, query
from shared.errors import DamagedBlockError
from shared.ids import JobId
from shared.logs.pack_block import decode_block
from shared.logs.stored_chunk import StoredChunk
from shared.queries.models import LogRetention

logger = logging.getLogger(__name__)

# One page of rows; a block is a page of its own.
PAGE_ROWS: Final = 500
PAGE_BYTES: Final = 256 * 1024


class ChunkPage(msgspec.Struct, frozen=True):
    """Those chunks after `after_seq` that go up to `last_seq`, without gaps; none: retention has dropped them."""

    after_seq: int
    last_seq: int
    chunks: Sequence[StoredChunk]
    # Why there are none, if that is because their block cannot be read.
    damage: DamagedBlockError | None = None


async def read_page(
    pool: Pool, job_id: JobId, attempt: AttemptLog, after_seq: int, up_to_seq: int | None = None
) -> ChunkPage:
    """Read the page that holds the chunk after `after_seq`: it may begin before it, but lacks nothing behind it.

    There must be such a chunk: `after_seq` lies below the attempt's `last_seq`. Of a block that is damaged there are no
    chunks: one must not keep from being read what is behind it. Raises `DatabaseUnavailableError`.
    """
    while True:
        if after_seq < attempt.packed_seq and attempt.retention is not None:
            page = await _read_block(pool, job_id, attempt, attempt.retention, after_seq)
        else:
            page = await _read_rows(pool, job_id, attempt, after_seq, up_to_seq or attempt.last_seq)
        if page is not None:
            return page
        now = await _read_again(pool, job_id, attempt.epoch)
        if now is None or now.packed_seq <= max(attempt.packed_seq, after_seq):
            return ChunkPage(after_seq, up_to_seq or attempt.last_seq, ())
        attempt = now


async def _read_block(
    pool: Pool, job_id: JobId, attempt: AttemptLog, retention: LogRetention, after_seq: int
) -> ChunkPage | None:
    block = await query(
        pool,
        partial(
            read_log_block,
            retention=retention,
            log_day=attempt.day,
            job_id=job_id,
            epoch=attempt.epoch,
            seq=after_seq + 1,
        ),
    )
    if block is None or block.last_seq <= after_seq:
        return None
    try:
        return ChunkPage(block.first_seq - 1, block.last_seq, decode_block(block.data))
    except DamagedBlockError as damage:
        logger.exception("a block of a log cannot be read: it is passed over", extra={"job_id": str(job_id)})
        return ChunkPage(block.first_seq - 1, block.last_seq, (), damage)


async def _read_rows(
    pool: Pool, job_id: JobId, attempt: AttemptLog, after_seq: int, up_to_seq: int
) -> ChunkPage | None:
    rows = await query(
        pool,
        partial(
            read_log_chunks,
            log_day=attempt.day,
            job_id=job_id,
            epoch=attempt.epoch,
            after_seq=after_seq,
            up_to_seq=up_to_seq,
            max_rows=PAGE_ROWS,
            max_bytes=PAGE_BYTES,
        ),
    )
    chunks = without_gaps([stored(row) for row in rows], after_seq)
    return ChunkPage(after_seq, chunks[-1].seq, chunks) if chunks else None


async def _read_again(pool: Pool, job_id: JobId, epoch: int) -> AttemptLog | None:
    state = (await read_states(pool, [job_id])).get(job_id)
    return None if state is None else state.attempt(epoch)


def stored(row: LogChunk | ReadNewChunksRow | StreamLogChunksRow) -> StoredChunk:
    """Return a row as the chunk that it holds."""
    return StoredChunk(
        seq=row.seq,
        step=row.step,
        stream=row.stream,
        first_line=row.first_line,
        continues=row.continues,
        line_offsets_ms=row.line_offsets_ms,
        recorded_at=row.recorded_at,
        data=row.data,
    )


def without_gaps(chunks: list[StoredChunk], after_seq: int) -> list[StoredChunk]:
    """Return the chunks that follow `after_seq` and one another: where one is lacking, rows are being removed."""
    if chunks and chunks[-1].seq == after_seq + len(chunks):
        return chunks
    return [chunk for place, chunk in enumerate(chunks, after_seq + 1) if chunk.seq == place]
