"""A chunk of a log, as it is stored: in a row of its own at first, in a block later."""

from datetime import datetime

import msgspec


class StoredChunk(msgspec.Struct, frozen=True):
    """A piece of one stream of one step of an attempt, byte for byte; see `log_chunk` in sql/migrations."""

    seq: int
    # Position of the step; -1 before the first.
    step: int
    # 0: Howdah itself, 1: stdout, 2: stderr.
    stream: int
    # Number, from 0, of the first line that begins in it: so many do as there are `line_offsets_ms`.
    first_line: int
    # Whether its head is more of the last line that began in this stream.
    continues: bool
    # When each line that begins in it began, in milliseconds after `recorded_at`.
    line_offsets_ms: list[int]
    recorded_at: datetime
    data: bytes
