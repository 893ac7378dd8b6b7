"""The lines of a block, whole also where they go over its borders. Pure.

A chunk's `first_line` is the number of the first line that begins in it; the head of one that `continues` is more of
the last line that began in its stream. A line ends with a newline, or with its step.
"""

from collections.abc import Iterable, Sequence

import msgspec

from shared.logs.stored_chunk import StoredChunk


class Lines(msgspec.Struct, frozen=True):
    """Lines of one step that follow one another, each with a newline.

    `first` is the number of the first; None for the one line whose beginning was not in the block.
    """

    first: int | None
    step: int
    data: bytes


def gather_lines(
    chunks: Sequence[StoredChunk], before: Iterable[StoredChunk] = (), after: Iterable[StoredChunk] = ()
) -> list[Lines]:
    """Return every line of which a part is in `chunks`, whole so far as the chunks before and after reach."""
    gatherer = _Gatherer()
    for chunk in before:
        gatherer.recall(chunk)
    for chunk in chunks:
        gatherer.feed(chunk)
    for chunk in after:
        if not gatherer.complete(chunk):
            break
    return gatherer.finish()


class _Gatherer:
    def __init__(self) -> None:
        self._step: int | None = None
        # Of each stream, what came before the block of a line that may go on in it.
        self._recalled: dict[int, list[bytes]] = {}
        # Of each stream, the line that has begun and not ended.
        self._open: dict[int, tuple[int | None, list[bytes]]] = {}
        self._found: list[Lines] = []
        # What is put together into the next of the found.
        self._first: int | None = None
        self._next: int | None = None
        self._parts: list[bytes] = []

    def recall(self, chunk: StoredChunk) -> None:
        """Take in a chunk before the block: only a line that goes on in the block is of interest."""
        if chunk.step != self._step:
            self._recalled.clear()
            self._step = chunk.step
        start = chunk.data.rfind(b"\n") + 1
        if chunk.continues and not start:
            self._recalled.setdefault(chunk.stream, []).append(chunk.data)
        else:
            self._recalled[chunk.stream] = [chunk.data[start:]]

    def feed(self, chunk: StoredChunk) -> None:
        """Take in a chunk of the block."""
        if chunk.step != self._step:
            self._end_all()
            self._flush()
            self._recalled.clear()
            self._step = chunk.step
        data, start = chunk.data, 0
        if chunk.continues:
            if chunk.stream not in self._open:
                self._open[chunk.stream] = (None, self._recalled.pop(chunk.stream, []))
            number, parts = self._open[chunk.stream]
            start = data.find(b"\n") + 1
            parts.append(data[:start] if start else data)
            if not start:
                return
            del self._open[chunk.stream]
            self._add(number, b"".join(parts), 1)
        elif chunk.stream in self._open:
            self._end(chunk.stream)
        end = data.rfind(b"\n", start) + 1 or start
        begun = len(chunk.line_offsets_ms)
        if end < len(data):
            self._open[chunk.stream] = (chunk.first_line + begun - 1, [data[end:]])
            begun -= 1
        if end > start:
            self._add(chunk.first_line, data[start:end], begun)

    def complete(self, chunk: StoredChunk) -> bool:
        """Take in a chunk behind the block; False: no line of the block can go on."""
        if not self._open or chunk.step != self._step:
            return False
        if chunk.stream in self._open:
            if not chunk.continues:
                self._end(chunk.stream)
                return bool(self._open)
            end = chunk.data.find(b"\n") + 1
            self._open[chunk.stream][1].append(chunk.data[:end] if end else chunk.data)
            if end:
                self._end(chunk.stream)
        return bool(self._open)

    def finish(self) -> list[Lines]:
        """Return what was found."""
        self._end_all()
        self._flush()
        return self._found

    def _end_all(self) -> None:
        for stream in list(self._open):
            self._end(stream)

    def _end(self, stream: int) -> None:
        number, parts = self._open.pop(stream)
        line = b"".join(parts)
        if line:
            self._add(number, line if line.endswith(b"\n") else line + b"\n", 1)

    def _add(self, number: int | None, data: bytes, count: int) -> None:
        if number is None or number != self._next or not self._parts:
            self._flush()
            self._first = number
        self._parts.append(data)
        if number is None:
            self._flush()
        else:
            self._next = number + count

    def _flush(self) -> None:
        if self._parts and self._step is not None:
            self._found.append(Lines(self._first, self._step, b"".join(self._parts)))
        self._parts.clear()
        self._next = None
