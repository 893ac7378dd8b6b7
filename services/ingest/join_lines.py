"""Chunks of an attempt, from one on, joined into whole lines, in the order of reading and in bounded memory. Pure.

For the numbering of lines see `assemble_lines`. Lines whose beginning was not seen are left out.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import msgspec

from shared.logs.stored_chunk import StoredChunk

# A line that is longer is handed on in pieces, of which each begins with the end of the one before.
_LONGEST: Final = 256 * 1024
_OVERLAP: Final = 4096


class JoinedLines(msgspec.Struct, frozen=True):
    """Lines that follow one another, each with a newline; or one piece of a very long line, with a newline, too."""

    first: int
    # In which they began.
    chunk: StoredChunk
    data: bytes

    def at(self, number: int) -> datetime:
        """Return when a line began."""
        offset_ms = self.chunk.line_offsets_ms[number - self.chunk.first_line]
        return self.chunk.recorded_at + timedelta(milliseconds=offset_ms)


class _OpenLine(msgspec.Struct):
    number: int
    chunk: StoredChunk
    data: bytearray


class LineJoiner:
    """Joins the chunks that it is fed; a line is handed on once it is whole."""

    def __init__(self) -> None:
        self._step: int | None = None
        # Of each stream, the line that has begun and not ended.
        self._open: dict[int, _OpenLine] = {}

    def lowest_open(self) -> int | None:
        """Return the number of the first line that has not ended."""
        return min((line.number for line in self._open.values()), default=None)

    def feed(self, chunks: Iterable[StoredChunk]) -> list[JoinedLines]:
        """Return the lines that the chunks complete."""
        found: list[JoinedLines] = []
        for chunk in chunks:
            if chunk.step != self._step:
                found += self.finish()
                self._step = chunk.step
            data, start = chunk.data, 0
            if chunk.continues:
                start = self._go_on(chunk, found)
            else:
                self._end(chunk.stream, found)
            end = data.rfind(b"\n", start) + 1 or start
            if end > start:
                found.append(JoinedLines(chunk.first_line, chunk, data[start:end]))
            if end < len(data):
                number = chunk.first_line + len(chunk.line_offsets_ms) - 1
                # What is remembered of the chunk is when its lines began, and not all that they are.
                bare = msgspec.structs.replace(chunk, data=b"")
                self._open[chunk.stream] = _OpenLine(number, bare, bytearray(data[end:]))
        return found

    def finish(self) -> list[JoinedLines]:
        """Return the lines that have not ended, as far as they are known."""
        found: list[JoinedLines] = []
        for stream in list(self._open):
            self._end(stream, found)
        return found

    def _go_on(self, chunk: StoredChunk, found: list[JoinedLines]) -> int:
        """Add the chunk's head to the line that is open; returns where the next line begins."""
        end = chunk.data.find(b"\n") + 1
        line = self._open.get(chunk.stream)
        if line is not None:
            line.data += chunk.data[: end or len(chunk.data)]
            if end:
                self._end(chunk.stream, found)
            elif len(line.data) > _LONGEST:
                found.append(JoinedLines(line.number, line.chunk, bytes(line.data) + b"\n"))
                del line.data[:-_OVERLAP]
        return end or len(chunk.data)

    def _end(self, stream: int, found: list[JoinedLines]) -> None:
        line = self._open.pop(stream, None)
        if line is not None:
            data = bytes(line.data)
            found.append(JoinedLines(line.number, line.chunk, data if data.endswith(b"\n") else data + b"\n"))
