"""A piece of a log as a stream's event shows it."""

from datetime import datetime
from typing import Final

import msgspec

from services.ingest.queries.rows import LogChunk
from shared.ids import JobId, RunId

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
    # For pages: the text again, in pieces of one style: [classes, text].
    spans: list[tuple[str, str]] | None = None


def show_chunk(chunk: LogChunk, spans: list[tuple[str, str]] | None = None) -> ShownChunk:
    """Return a chunk of a job's log as its stream shows it."""
    return ShownChunk(
        epoch=chunk.epoch,
        seq=chunk.seq,
        step=chunk.step,
        stream=STREAM_NAMES[chunk.stream],
        first_line=chunk.first_line,
        continues=chunk.continues,
        text=decode(chunk.data),
        at=chunk.recorded_at,
        line_offsets_ms=chunk.line_offsets_ms,
        spans=spans,
    )


def decode(data: bytes) -> str:
    """Return the text of what a command wrote."""
    return data.decode("utf-8", "replace")
