"""Logs as chunks, made and read back without the services that do so."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Protocol

import msgspec
from hypothesis import strategies as st

from shared.ids import JobId, new_id
from shared.logs.pack_block import decode_block
from shared.logs.stored_chunk import StoredChunk

START: Final = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


class RunsSql(Protocol):
    """What runs a statement as superuser: an `Engine`, a `Cluster`."""

    def sql(self, statement: str, *arguments: object) -> list[tuple[Any, ...]]:
        """Return the statement's rows."""


# Step, stream, bytes: what one read of a pipe gives.
Piece = tuple[int, int, bytes]


def make_chunks(pieces: Iterable[Piece], at: datetime = START) -> list[StoredChunk]:
    """Return a chunk for each piece that holds something, numbered as executors number them."""
    chunks: list[StoredChunk] = []
    unfinished: set[int] = set()
    line = 0
    for step, stream, data in pieces:
        if not data:
            continue
        if chunks and chunks[-1].step != step:
            unfinished.clear()
        continues = stream in unfinished
        begun = data.count(b"\n") + (not data.endswith(b"\n")) - continues
        seq = len(chunks) + 1
        chunks.append(
            StoredChunk(
                seq=seq,
                step=step,
                stream=stream,
                first_line=line,
                continues=continues,
                line_offsets_ms=list(range(begun)),
                recorded_at=at + timedelta(milliseconds=37 * seq),
                data=data,
            )
        )
        line += begun
        if data.endswith(b"\n"):
            unfinished.discard(stream)
        else:
            unfinished.add(stream)
    return chunks


def whole_lines(chunks: Iterable[StoredChunk]) -> dict[int, bytes]:
    """Return every line by its number, put together one byte after the other."""
    lines: dict[int, bytearray] = {}
    current: dict[int, int] = {}
    step: int | None = None
    for chunk in chunks:
        if chunk.step != step:
            current.clear()
            step = chunk.step
        number = chunk.first_line
        for byte in chunk.data:
            if chunk.stream not in current:
                current[chunk.stream] = number
                lines[number] = bytearray()
                number += 1
            lines[current[chunk.stream]].append(byte)
            if byte == 0x0A:
                del current[chunk.stream]
    return {number: bytes(line).removesuffix(b"\n") + b"\n" for number, line in lines.items()}


def some_pieces(data: st.SearchStrategy[bytes], *, most: int = 30) -> st.SearchStrategy[list[Piece]]:
    """Pieces of several steps and streams, of such data."""
    piece = st.tuples(st.booleans(), st.integers(0, 2), data)

    def number_steps(drawn: Sequence[tuple[bool, int, bytes]]) -> list[Piece]:
        step = -1
        pieces: list[Piece] = []
        for is_new_step, stream, content in drawn:
            step += is_new_step
            pieces.append((step, stream, content))
        return pieces

    return st.lists(piece, max_size=most).map(number_steps)


class StoredLog(msgspec.Struct, frozen=True):
    """An attempt that has a log."""

    job_id: JobId
    epoch: int
    day: date


def add_log(
    database: RunsSql,
    chunks: Sequence[StoredChunk],
    *,
    job_id: JobId | None = None,
    started: datetime = START,
    ended: datetime | None = START,
) -> StoredLog:
    """Give a job an attempt with these chunks; without one, a job on its own that has succeeded."""
    if job_id is None:
        ((new_job_id,),) = database.sql("""select job_id from insert_jobs('[{"type": "email"}]', 'test')""")
        job_id = JobId(new_job_id)
        database.sql(
            "update job set state = 'succeeded', finished_at = %s, claim_epoch = 1 where id = %s",
            ended or started,
            job_id,
        )
    database.sql("select make_log_partitions(0, %s)", started)
    log = StoredLog(job_id, 1, started.astimezone(UTC).date())
    database.sql(
        """
        insert into attempt (
            job_id, epoch, executor_id, started_at, ended_at, outcome, log_day, last_seq, log_state, log_bytes,
            log_lines
        ) values (
            %s, %s, %s, %s, %s, case when %s then 'succeeded'::attempt_outcome end, %s, %s, %s::log_state, %s, %s
        )
        """,
        log.job_id,
        log.epoch,
        new_id(),
        started,
        ended,
        ended is not None,
        log.day,
        chunks[-1].seq if chunks else 0,
        "open" if chunks else "none",
        sum(len(chunk.data) for chunk in chunks),
        sum(len(chunk.line_offsets_ms) for chunk in chunks),
    )
    for chunk in chunks:
        database.sql(
            """
            insert into log_chunk (
                day, job_id, epoch, seq, step, stream, first_line, continues, line_offsets_ms, recorded_at, data
            ) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            """,
            log.day,
            log.job_id,
            log.epoch,
            *(msgspec.structs.astuple(chunk)),
        )
    return log


def read_log(database: RunsSql, log: StoredLog) -> list[StoredChunk]:
    """Read a log as it stands: in blocks up to `packed_seq`, in rows beyond it, all at one time."""
    chunks: list[StoredChunk] = []
    for is_block, data, row in database.sql(
        """
        select true, b.data, null::jsonb
        from attempt a
        join log_block b on b.job_id = a.job_id and b.epoch = a.epoch and b.last_seq <= a.packed_seq
        where a.job_id = %s
        union all
        select false, c.data, to_jsonb(c) - 'data'
        from attempt a
        join log_chunk c on c.job_id = a.job_id and c.epoch = a.epoch and c.seq > a.packed_seq
        where a.job_id = %s
        """,
        log.job_id,
        log.job_id,
    ):
        if is_block:
            chunks += decode_block(data)
        else:
            chunks.append(msgspec.convert({**row, "data": b""}, StoredChunk))
            chunks[-1] = msgspec.structs.replace(chunks[-1], data=data)
    return sorted(chunks, key=lambda chunk: chunk.seq)
