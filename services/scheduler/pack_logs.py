"""The duty that packs the logs of ended attempts into blocks, in which they are found and kept.

A transaction moves one log on by a few megabytes at most, or packs some short ones. A long log takes several: what is
packed of it is in blocks up to `packed_seq`, and its chunks are there until some time after all of it is.
"""

import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Final

import msgspec
from anyio import to_thread

from services.scheduler.cut_blocks import REACH_BYTES, REACH_CHUNKS, cut_blocks
from services.scheduler.queries.pack_logs import (
    FindLogsToPackRow,
    LockLogToPackRow,
    find_logs_to_pack,
    lock_log_to_pack,
    make_log_block_partition,
    read_chunks_to_pack,
    read_packed_chunks,
    store_blocks,
)
from services.scheduler.queries.rows import PackedChunk
from services.scheduler.survey_block import SurveyedBlock, survey_block
from shared.db import Connection, Pool, in_transaction, query
from shared.ids import JobId
from shared.logs.find_groups import GroupFinder
from shared.logs.outline import LogOutline
from shared.logs.stored_chunk import StoredChunk
from shared.loop import jittered

logger = logging.getLogger(__name__)

# So many of the oldest, and of the newest.
_BATCH: Final = 25
_GROUP_BYTES: Final = 512 * 1024
_PAGE_BYTES: Final = 2 * 1024 * 1024
_PAGE_ROWS: Final = 10_000
_STEP_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 1.5


class _Packed(msgspec.Struct, frozen=True):
    """What one transaction stores."""

    blocks: list[SurveyedBlock]
    outline: LogOutline


async def pack_logs(pool: Pool, *, page_rows: int = _PAGE_ROWS, page_bytes: int = _PAGE_BYTES) -> float:
    """Pack a stretch of some logs; returns the seconds until the next look."""
    found = await query(pool, partial(find_logs_to_pack, max_logs=_BATCH))
    packed = False
    began = time.monotonic()
    # Short ones first, and a new look after a while: what just ended does not wait for all long ones to move on.
    for logs in _group(sorted(found, key=lambda log: log.log_bytes)):
        if time.monotonic() - began > _STEP_SECONDS:
            return 0

        async def pack(connection: Connection, logs: Sequence[FindLogsToPackRow] = logs) -> bool:
            done = [
                await pack_log(
                    connection, job_id=log.job_id, epoch=log.epoch, page_rows=page_rows, page_bytes=page_bytes
                )
                for log in logs
            ]
            return any(done)

        packed |= await in_transaction(pool, pack)
    return 0 if packed else jittered(_LOOK_SECONDS)


def _group(found: Iterable[FindLogsToPackRow]) -> Iterator[list[FindLogsToPackRow]]:
    """Yield logs that are packed in one transaction: a long one by itself, many short ones together."""
    group: list[FindLogsToPackRow] = []
    size = 0
    for log in found:
        if group and size + log.log_bytes > _GROUP_BYTES:
            yield group
            group, size = [], 0
        group.append(log)
        size += log.log_bytes
    if group:
        yield group


async def pack_log(
    connection: Connection,
    *,
    job_id: JobId,
    epoch: int,
    page_rows: int = _PAGE_ROWS,
    page_bytes: int = _PAGE_BYTES,
) -> bool:
    """Pack a stretch of one log, in the caller's transaction; False: there is nothing to do, or another is at it."""
    log = await lock_log_to_pack(connection, job_id=job_id, epoch=epoch)
    if log is None:
        return False
    rows = await read_chunks_to_pack(
        connection,
        log_day=log.log_day,
        job_id=log.job_id,
        epoch=log.epoch,
        after_seq=log.packed_seq,
        max_rows=page_rows,
        max_bytes=page_bytes,
    )
    is_last = not rows or rows[-1].seq >= log.last_seq
    if not rows:
        logger.error("chunks of a log are lacking from %d on", log.packed_seq + 1, extra={"job_id": log.job_id})
    before = await _read_before(connection, log) if log.packed_seq else []
    # Reckoning takes a while: in a thread, so that no other duty waits for it.
    packed = await to_thread.run_sync(partial(_reckon, log, rows, before, is_last=is_last))
    await _store(connection, log, packed, is_all=is_last)
    return True


async def _read_before(connection: Connection, log: LockLogToPackRow) -> list[PackedChunk]:
    rows = await read_packed_chunks(
        connection,
        log_day=log.log_day,
        job_id=log.job_id,
        epoch=log.epoch,
        up_to_seq=log.packed_seq,
        max_rows=REACH_CHUNKS,
        max_bytes=REACH_BYTES,
    )
    return rows[::-1]


def _reckon(
    log: LockLogToPackRow, rows: Sequence[PackedChunk], before: Sequence[PackedChunk], *, is_last: bool
) -> _Packed:
    outline = log.log_outline or LogOutline()
    groups = GroupFinder(outline.groups)
    chunks = _as_stored(rows)
    blocks = [survey_block(block, groups) for block in cut_blocks(chunks, _as_stored(before), is_last=is_last)]
    if is_last:
        groups.finish(chunks[-1].first_line + len(chunks[-1].line_offsets_ms) if chunks else 0)
    levels = Counter(outline.levels)
    for block in blocks:
        levels.update({level.name.lower(): count for level, count in block.levels.items()})
    return _Packed(blocks, LogOutline(dict(levels), groups.groups))


def _as_stored(rows: Iterable[PackedChunk]) -> list[StoredChunk]:
    return [
        StoredChunk(
            seq=row.seq,
            step=row.step,
            stream=row.stream,
            first_line=row.first_line,
            continues=row.continues,
            line_offsets_ms=row.line_offsets_ms,
            recorded_at=row.recorded_at,
            data=row.data,
        )
        for row in rows
    ]


async def _store(connection: Connection, log: LockLogToPackRow, packed: _Packed, *, is_all: bool) -> None:
    blocks = packed.blocks
    if blocks:
        await make_log_block_partition(connection, retention=log.retention, log_day=log.log_day)
    first_bytes = [log.packed_bytes]
    for block in blocks:
        first_bytes.append(first_bytes[-1] + block.byte_count)
    await store_blocks(
        connection,
        job_id=log.job_id,
        epoch=log.epoch,
        previous_seq=log.packed_seq,
        packed_seq=blocks[-1].last_seq if blocks else log.packed_seq,
        is_all=is_all,
        retention=log.retention,
        pipeline_id=log.pipeline_id,
        log_outline=packed.outline,
        first_seqs=[block.first_seq for block in blocks],
        last_seqs=[block.last_seq for block in blocks],
        first_lines=[block.first_line for block in blocks],
        line_counts=[block.line_count for block in blocks],
        first_bytes=first_bytes[: len(blocks)],
        byte_counts=[block.byte_count for block in blocks],
        last_ats=[block.last_at for block in blocks],
        top_levels=[int(block.top_level) for block in blocks],
        words=["{" + ",".join(map(str, block.words)) + "}" for block in blocks],
        datas=[block.data for block in blocks],
    )
