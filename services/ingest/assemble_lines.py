"""Chunks of several streams, put together into whole lines, in bounded memory. Pure.

A chunk's `first_line` is the number of the first line that begins in it; the head of one that `continues` is more of
the last line that began in its stream. A line ends with a newline, or with its step.
"""

from typing import Final

import msgspec

from services.ingest.queries.rows import LogChunk

# A longer line is handed on in pieces.
_LONGEST: Final = 256 * 1024


class Line(msgspec.Struct, frozen=True):
    """A line with its newline, or a piece of a very long one. `number` is None where its head was not seen."""

    number: int | None
    data: bytes


class LineAssembler:
    """Puts the chunks of one attempt together; a line is handed on once it is whole."""

    def __init__(self) -> None:
        self._step: int | None = None
        # Of each stream, the line that has begun and not ended.
        self._open: dict[int, tuple[int | None, bytearray]] = {}

    def feed(self, chunk: LogChunk) -> list[Line]:
        """Return the lines that the chunk completes."""
        lines: list[Line] = []
        if chunk.step != self._step:
            lines += self.finish()
            self._step = chunk.step
        data = memoryview(chunk.data)
        next_line = chunk.first_line
        if not chunk.continues:
            lines += self._end(chunk.stream)
        elif chunk.stream not in self._open:
            self._open[chunk.stream] = (None, bytearray())
        start = 0
        while start < len(data):
            end = chunk.data.find(b"\n", start) + 1 or len(data)
            if chunk.stream not in self._open:
                self._open[chunk.stream] = (next_line, bytearray())
                next_line += 1
            number, begun = self._open[chunk.stream]
            begun += data[start:end]
            if chunk.data[end - 1 : end] == b"\n" or len(begun) > _LONGEST:
                lines.append(Line(number, bytes(begun)))
                if chunk.data[end - 1 : end] == b"\n":
                    del self._open[chunk.stream]
                else:
                    begun.clear()
            start = end
        return lines

    def finish(self) -> list[Line]:
        """Return the lines that have begun and will not go on, each with a newline."""
        return [line for stream in list(self._open) for line in self._end(stream)]

    def _end(self, stream: int) -> list[Line]:
        number, begun = self._open.pop(stream, (None, bytearray()))
        return [Line(number, bytes(begun) + b"\n")] if begun else []
