"""A piece of a log as a stream's event shows it."""

from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from services.ingest.filter_lines import MarkedLine, find_levels
from shared.ids import JobId, RunId
from shared.logs.stored_chunk import StoredChunk

STREAM_NAMES: Final = ("howdah", "stdout", "stderr")


class ShownChunk(msgspec.Struct, frozen=True, omit_defaults=True):
    """One chunk. See docs/api.md for the numbering of lines."""

    epoch: int
    seq: int
    # Position of the step; -1 before the first.
    step: int
    # howdah, stdout or stderr.
    stream: str
    first_line: int
    continues: bool
    # UTF-8, what is not replaced by U+FFFD. A chunk never ends within a character.
    text: str
    at: datetime
    line_offsets_ms: list[int]
    job_id: JobId | None = None
    job_key: str | None = None
    run_id: RunId | None = None
    # For pages: the text again, in pieces of one style: [classes, text]; and which lines that begin here have a level.
    spans: list[tuple[str, str]] | None = None
    levels: list[tuple[int, str]] = []


class ChunkJob(NamedTuple):
    """Whose chunk it is, for streams about several jobs."""

    job_id: JobId
    job_key: str
    run_id: RunId | None


def show_chunk(
    chunk: StoredChunk, epoch: int, *, spans: list[tuple[str, str]] | None = None, job: ChunkJob | None = None
) -> ShownChunk:
    """Return a chunk of a job's log as a stream shows it; for pages if there are `spans`."""
    return ShownChunk(
        epoch=epoch,
        seq=chunk.seq,
        step=chunk.step,
        stream=STREAM_NAMES[chunk.stream],
        first_line=chunk.first_line,
        continues=chunk.continues,
        text=decode(chunk.data),
        at=chunk.recorded_at,
        line_offsets_ms=chunk.line_offsets_ms,
        job_id=job and job.job_id,
        job_key=job and job.job_key,
        run_id=job and job.run_id,
        spans=spans,
        levels=find_levels(chunk) if spans is not None else [],
    )


class MarkedChunk(msgspec.Struct, frozen=True, omit_defaults=True):
    """Those lines of a chunk that are grave enough for a stream that asks for a level."""

    epoch: int
    seq: int
    step: int
    stream: str
    at: datetime
    lines: list[MarkedLine]
    job_id: JobId | None = None
    job_key: str | None = None
    run_id: RunId | None = None


def show_marked(chunk: StoredChunk, epoch: int, lines: list[MarkedLine], *, job: ChunkJob | None = None) -> MarkedChunk:
    """Return those lines of a chunk as a stream shows them."""
    return MarkedChunk(
        epoch=epoch,
        seq=chunk.seq,
        step=chunk.step,
        stream=STREAM_NAMES[chunk.stream],
        at=chunk.recorded_at,
        lines=lines,
        job_id=job and job.job_id,
        job_key=job and job.job_key,
        run_id=job and job.run_id,
    )


def decode(data: bytes) -> str:
    """Return the text of what a command wrote."""
    return data.decode("utf-8", "replace")
