"""Some lines of an attempt by their numbers, put together from chunks, in bounded memory. Pure.

For the numbering of lines see `assemble_lines`. A very long line is folded: its head and its tail are kept, and how
long it is.
"""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from shared.logs.stored_chunk import StoredChunk

# Of a line that is longer than both together, only these are kept.
HEAD_BYTES: Final = 4096
TAIL_BYTES: Final = 1024


class LogLine(msgspec.Struct, frozen=True):
    """One line, without its newline. `tail` is empty, unless `omitted_bytes` were left out before it."""

    number: int
    step: int
    stream: int
    at: datetime
    head: bytes
    tail: bytes = b""
    omitted_bytes: int = 0


class _OpenLine:
    """A line that has begun and not ended."""

    __slots__ = ("at", "head", "number", "size", "tail")

    def __init__(self, number: int, at: datetime) -> None:
        self.number = number
        self.at = at
        self.head = bytearray()
        self.tail = b""
        self.size = 0

    def add(self, piece: bytes) -> None:
        """Go on with the line."""
        self.size += len(piece)
        room = HEAD_BYTES + TAIL_BYTES - len(self.head) if not self.tail else 0
        self.head += piece[:room]
        if len(piece) > room:
            self.tail = (self.tail + piece[room:])[-TAIL_BYTES:]


class LinePicker:
    """Picks the lines with numbers from `first` to before `end`."""

    def __init__(self, first: int, end: int) -> None:
        self._first = first
        self._end = end
        self._step = 0
        # Of each stream, the line that has begun and not ended, if it is asked for.
        self._open: dict[int, _OpenLine] = {}
        self._found: list[LogLine] = []
        self._passed = False

    def is_done(self) -> bool:
        """Whether no later chunk holds more of these lines."""
        return self._passed and not self._open

    def feed(self, chunk: StoredChunk) -> None:
        """Take the next chunk."""
        if chunk.step != self._step:
            self._end_lines()
            self._step = chunk.step
        begun = len(chunk.line_offsets_ms)
        start = 0
        if chunk.continues:
            start = self._go_on(chunk)
        else:
            self._end_line(chunk.stream)
        if begun and chunk.first_line < self._end and chunk.first_line + begun > self._first:
            self._split(chunk, start)
        self._passed = self._passed or chunk.first_line + begun >= self._end

    def take(self) -> list[LogLine]:
        """Return the lines in order, those that have not ended so far as they go."""
        self._end_lines()
        found, self._found = sorted(self._found, key=lambda line: line.number), []
        return found

    def _go_on(self, chunk: StoredChunk) -> int:
        """Add the chunk's head to the line that is open; returns where the next line begins."""
        end = chunk.data.find(b"\n") + 1
        line = self._open.get(chunk.stream)
        if line is not None:
            line.add(chunk.data[: end - 1] if end else chunk.data)
            if end:
                self._end_line(chunk.stream)
        return end or len(chunk.data)

    def _split(self, chunk: StoredChunk, start: int) -> None:
        lines = chunk.data[start:].split(b"\n")
        unfinished = lines.pop()
        skipped = max(0, self._first - chunk.first_line)
        wanted = lines[skipped : self._end - chunk.first_line]
        for number, line in enumerate(wanted, chunk.first_line + skipped):
            at = chunk.recorded_at + timedelta(milliseconds=chunk.line_offsets_ms[number - chunk.first_line])
            self._keep(chunk.stream, number, at, line)
        number = chunk.first_line + len(lines)
        if unfinished and self._first <= number < self._end:
            at = chunk.recorded_at + timedelta(milliseconds=chunk.line_offsets_ms[-1])
            line_begun = self._open[chunk.stream] = _OpenLine(number, at)
            line_begun.add(unfinished)

    def _keep(self, stream: int, number: int, at: datetime, line: bytes) -> None:
        if len(line) <= HEAD_BYTES + TAIL_BYTES:
            self._found.append(LogLine(number, self._step, stream, at, line))
            return
        begun = _OpenLine(number, at)
        begun.add(line)
        self._close(stream, begun)

    def _end_line(self, stream: int) -> None:
        if (line := self._open.pop(stream, None)) is not None:
            self._close(stream, line)

    def _end_lines(self) -> None:
        for stream in list(self._open):
            self._end_line(stream)

    def _close(self, stream: int, line: _OpenLine) -> None:
        kept = bytes(line.head)
        if line.size > HEAD_BYTES + TAIL_BYTES:
            tail = (kept[HEAD_BYTES:] + line.tail)[-TAIL_BYTES:]
            omitted = line.size - HEAD_BYTES - TAIL_BYTES
            self._found.append(LogLine(line.number, self._step, stream, line.at, kept[:HEAD_BYTES], tail, omitted))
        else:
            self._found.append(LogLine(line.number, self._step, stream, line.at, kept))
