"""Chunks of several streams, put together into whole lines, in bounded memory. Pure.

A chunk's `first_line` is the number of the first line that begins in it; the head of one that `continues` is more of
the last line that began in its stream. A line ends with a newline, or with its step.
"""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from shared.logs.stored_chunk import StoredChunk

# A longer line is handed on in pieces.
_LONGEST: Final = 256 * 1024


class Lines(msgspec.Struct, frozen=True):
    """Whole lines that follow one another, or a piece of a very long one. `first` is None where a head was not seen.

    `chunk` is the one in which they began, or, of a head that was not seen, went on; its data may be left out.
    """

    first: int | None
    data: bytes
    chunk: StoredChunk

    def since(self, number: int) -> bytes:
        """Return the lines from this number on."""
        if number == 0:
            return self.data
        if self.first is None:
            return b""
        start = 0
        for _ in range(max(0, number - self.first)):
            start = self.data.find(b"\n", start) + 1
            if not start:
                return b""
        return self.data[start:]

    def at(self, number: int) -> datetime:
        """Return when the line of this number, which is one of them, began."""
        offset_ms = self.chunk.line_offsets_ms[number - self.chunk.first_line]
        return self.chunk.recorded_at + timedelta(milliseconds=offset_ms)


class _OpenLine(msgspec.Struct):
    """A line that has begun and not ended."""

    number: int | None
    chunk: StoredChunk
    data: bytearray


class LineAssembler:
    """Puts the chunks of one attempt together; a line is handed on once it is whole.

    Of a line that is handed on in pieces, each but the first begins with the last `overlap` bytes of the one before.
    """

    def __init__(self, *, overlap: int = 0) -> None:
        self._overlap = overlap
        self._step: int | None = None
        # Of each stream, the line that has begun and not ended.
        self._open: dict[int, _OpenLine] = {}

    def lowest_open(self) -> int | None:
        """Return the lowest number of a line that has begun and not ended; None if there is no such line."""
        return min((line.number for line in self._open.values() if line.number is not None), default=None)

    def feed(self, chunk: StoredChunk) -> list[Lines]:
        """Return the lines that the chunk completes."""
        found: list[Lines] = []
        if chunk.step != self._step:
            found += self.finish()
            self._step = chunk.step
        if chunk.continues:
            start = self._go_on(chunk, found)
        else:
            found += self._end(chunk.stream)
            start = 0
        end = chunk.data.rfind(b"\n", start) + 1 or start
        if end > start:
            found.append(Lines(chunk.first_line, chunk.data[start:end], chunk))
        if end < len(chunk.data):
            number = chunk.first_line + chunk.data.count(b"\n", start, end)
            self._open[chunk.stream] = _OpenLine(number, _bare(chunk), bytearray(chunk.data[end:]))
        return found

    def finish(self) -> list[Lines]:
        """Return the lines that have begun and will not go on, each with a newline."""
        return [lines for stream in list(self._open) for lines in self._end(stream)]

    def _go_on(self, chunk: StoredChunk, found: list[Lines]) -> int:
        """Add the chunk's head to the line that is open; returns where the next line begins."""
        line = self._open.get(chunk.stream)
        if line is None:
            line = self._open[chunk.stream] = _OpenLine(None, _bare(chunk), bytearray())
        end = chunk.data.find(b"\n") + 1
        line.data += chunk.data[: end or len(chunk.data)]
        if end or len(line.data) > _LONGEST:
            found.append(Lines(line.number, bytes(line.data), line.chunk))
            del line.data[: len(line.data) - self._overlap]
        if end:
            del self._open[chunk.stream]
        return end or len(chunk.data)

    def _end(self, stream: int) -> list[Lines]:
        if stream not in self._open:
            return []
        # Of a very long one, all that there is may have been handed on; it still ends here.
        line = self._open.pop(stream)
        return [Lines(line.number, bytes(line.data) + b"\n", line.chunk)]


def _bare(chunk: StoredChunk) -> StoredChunk:
    """Return a chunk without its data: what is remembered of it is when its lines began, and not all that they are."""
    return msgspec.structs.replace(chunk, data=b"")
