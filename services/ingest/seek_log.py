"""Where in an attempt's log a line, a byte or the last lines are, without reading what stands before."""

from bisect import bisect_right
from functools import partial
from typing import Final, NamedTuple

from services.ingest.queries.logs import ListLogBlocksRow, list_log_blocks, seek_log_byte, seek_log_line
from services.ingest.read_log_states import AttemptLog, read_states
from shared.db import Pool, query
from shared.ids import JobId

# However long the last lines are, no more than this is shown of them.
_MOST_TAIL_BYTES: Final = 16 * 1024 * 1024


class Place(NamedTuple):
    """A place in an attempt's log: so many bytes behind the end of the chunk `after_seq`."""

    after_seq: int
    bytes_on: int


class Tail(NamedTuple):
    """The last lines: they have numbers from `first_line` on, and begin behind the chunk `after_seq`."""

    after_seq: int
    first_line: int


async def list_blocks(pool: Pool, job_id: JobId, attempt: AttemptLog) -> list[ListLogBlocksRow]:
    """Return what the attempt's blocks hold. Raises `DatabaseUnavailableError`."""
    if attempt.retention is None:
        return []
    return await query(
        pool,
        partial(
            list_log_blocks,
            retention=attempt.retention,
            log_day=attempt.day,
            job_id=job_id,
            epoch=attempt.epoch,
        ),
    )


async def seek_line(pool: Pool, job_id: JobId, attempt: AttemptLog, line: int) -> int:
    """Return the chunk behind which the line begins, or the block that it is in. Raises `DatabaseUnavailableError`."""
    while True:
        if attempt.packed_seq < attempt.last_seq:
            found = await query(
                pool,
                partial(
                    seek_log_line,
                    after_seq=attempt.packed_seq,
                    last_seq=attempt.last_seq,
                    line=line,
                    log_day=attempt.day,
                    job_id=job_id,
                    epoch=attempt.epoch,
                ),
            )
            if found.low < found.high:  # rows are gone: they were packed meanwhile, or dropped as too old
                now = await _read_again(pool, job_id, attempt)
                if now.packed_seq <= attempt.packed_seq:
                    return 0
                attempt = now
                continue
            if found.low > attempt.packed_seq:
                return found.low - 1
        blocks = await list_blocks(pool, job_id, attempt)
        place = bisect_right(blocks, line, key=lambda block: block.first_line)
        return blocks[place - 1].first_seq - 1 if place else 0


async def seek_byte(pool: Pool, job_id: JobId, attempt: AttemptLog, byte: int) -> Place:
    """Return where a byte of the log is; it must be within it. Raises `DatabaseUnavailableError`."""
    while True:
        blocks = await list_blocks(pool, job_id, attempt)
        packed_bytes = blocks[-1].first_byte + blocks[-1].byte_count if blocks else 0
        if byte < packed_bytes:
            block = blocks[bisect_right(blocks, byte, key=lambda block: block.first_byte) - 1]
            return Place(block.first_seq - 1, byte - block.first_byte)
        packed_seq = blocks[-1].last_seq if blocks else 0
        found = await query(
            pool,
            partial(
                seek_log_byte,
                after_seq=packed_seq,
                up_to_seq=attempt.last_seq,
                byte=byte - packed_bytes,
                log_day=attempt.day,
                job_id=job_id,
                epoch=attempt.epoch,
            ),
        )
        # Were rows lacking, the count of the bytes before it would be wrong.
        if found is not None and found.chunks_before == found.seq - packed_seq - 1:
            return Place(found.seq - 1, byte - packed_bytes - found.bytes_before)
        now = await _read_again(pool, job_id, attempt)
        if now.packed_seq <= packed_seq:
            return Place(0, byte)
        attempt = now


async def seek_tail(pool: Pool, job_id: JobId, attempt: AttemptLog, lines: int) -> Tail:
    """Return where the last lines of an attempt begin. Raises `DatabaseUnavailableError`."""
    if not attempt.last_seq:
        return Tail(0, 0)
    first_line = max(0, attempt.line_count - lines)
    after_seq = await seek_line(pool, job_id, attempt, first_line)
    if attempt.byte_count > _MOST_TAIL_BYTES:
        most = await seek_byte(pool, job_id, attempt, attempt.byte_count - _MOST_TAIL_BYTES)
        after_seq = max(after_seq, most.after_seq)
    return Tail(after_seq, first_line)


async def _read_again(pool: Pool, job_id: JobId, attempt: AttemptLog) -> AttemptLog:
    state = (await read_states(pool, [job_id])).get(job_id)
    return (state and state.attempt(attempt.epoch)) or attempt
