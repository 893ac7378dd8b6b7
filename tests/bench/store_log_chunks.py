"""Logs of ended attempts, put straight into a database: as executors store what is printed."""

import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import psycopg

from shared.ids import new_id

_CHUNK_BYTES: Final = 64 * 1024
_COLUMNS: Final = "day, job_id, epoch, seq, step, stream, first_line, continues, line_offsets_ms, recorded_at, data"

# First line, whether it continues, offsets, when, bytes.
_Piece = tuple[int, bool, list[int], datetime, bytes]


def store_log_chunks(connection: psycopg.Connection, logs: Iterable[list[bytes]], *, trickled: bool) -> int:
    """Store each log, given as its lines, as that of a job on its own that has ended; returns the bytes.

    Trickled, each line came by itself, 50 to 90 ms after the one before; else, 64 KiB at a time came at once.
    """
    total = 0
    started = datetime.now(UTC)
    for lines in logs:
        pieces = list(_trickle(lines, started) if trickled else _burst(lines, started))
        size = sum(len(data) for *_, data in pieces)
        ((job_id,),) = connection.execute(
            """select job_id from insert_jobs('[{"type": "bench"}]', 'bench')"""
        ).fetchall()
        connection.execute(
            "update job set state = 'succeeded', finished_at = now(), claim_epoch = 1 where id = %s", [job_id]
        )
        connection.execute(
            """
            insert into attempt (
                job_id, epoch, executor_id, started_at, ended_at, outcome, log_day, last_seq, log_state, log_bytes,
                log_lines
            ) values (%s, 1, %s, %s, now(), 'succeeded', %s, %s, 'open', %s, %s)
            """,
            [job_id, new_id(), started, started.date(), len(pieces), size, len(lines)],
        )
        with connection.cursor().copy(f"copy log_chunk ({_COLUMNS}) from stdin".encode()) as copy:
            for seq, (first_line, continues, offsets, at, data) in enumerate(pieces, 1):
                copy.write_row((started.date(), job_id, 1, seq, 0, 1, first_line, continues, offsets, at, data))
        total += size
    return total


def _trickle(lines: list[bytes], at: datetime) -> Iterator[_Piece]:
    dice = random.Random(0)
    for number, line in enumerate(lines):
        at += timedelta(microseconds=dice.randrange(50_000, 90_000))
        yield number, False, [0], at, line


def _burst(lines: list[bytes], at: datetime) -> Iterator[_Piece]:
    dice = random.Random(0)
    text = b"".join(lines)
    number, continues = 0, False
    for start in range(0, len(text), _CHUNK_BYTES):
        data = text[start : start + _CHUNK_BYTES]
        begun = data.count(b"\n") + (not data.endswith(b"\n")) - continues
        at += timedelta(microseconds=dice.randrange(20_000, 90_000))
        yield number, continues, sorted(dice.randrange(40) for _ in range(begun)), at, data
        number, continues = number + begun, not data.endswith(b"\n")
