"""Chunks of several streams, put together into whole lines, in bounded memory. Pure.

A chunk's `first_line` is the number of the first line that begins in it; the head of one that `continues` is more of
the last line that began in its stream. A line ends with a newline, or with its step.
"""

from typing import Final

import msgspec

from shared.logs.stored_chunk import StoredChunk

# A longer line is handed on in pieces.
_LONGEST: Final = 256 * 1024


class Lines(msgspec.Struct, frozen=True):
    """Whole lines that follow one another, or a piece of a very long one. `first` is None where a head was not seen."""

    first: int | None
    data: bytes

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


class LineAssembler:
    """Puts the chunks of one attempt together; a line is handed on once it is whole."""

    def __init__(self) -> None:
        self._step: int | None = None
        # Of each stream, the line that has begun and not ended.
        self._open: dict[int, tuple[int | None, bytearray]] = {}

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
            found.append(Lines(chunk.first_line, chunk.data[start:end]))
        if end < len(chunk.data):
            number = chunk.first_line + chunk.data.count(b"\n", start, end)
            self._open[chunk.stream] = (number, bytearray(chunk.data[end:]))
        return found

    def finish(self) -> list[Lines]:
        """Return the lines that have begun and will not go on, each with a newline."""
        return [lines for stream in list(self._open) for lines in self._end(stream)]

    def _go_on(self, chunk: StoredChunk, found: list[Lines]) -> int:
        """Add the chunk's head to the line that is open; returns where the next line begins."""
        number, begun = self._open.pop(chunk.stream, (None, bytearray()))
        end = chunk.data.find(b"\n") + 1
        begun += chunk.data[: end or len(chunk.data)]
        if end or len(begun) > _LONGEST:
            found.append(Lines(number, bytes(begun)))
            begun = bytearray()
        if not end:
            self._open[chunk.stream] = (number, begun)
        return end or len(chunk.data)

    def _end(self, stream: int) -> list[Lines]:
        if stream not in self._open:
            return []
        # Of a very long one, all that there is may have been handed on; it still ends here.
        number, begun = self._open.pop(stream)
        return [Lines(number, bytes(begun) + b"\n")]
