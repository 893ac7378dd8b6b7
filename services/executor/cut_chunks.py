"""Cut what an attempt says into the chunks that are stored. Pure: no I/O, and time is a parameter.

A filter of bytes (masking of secrets) belongs before it, between `run_command`'s ``on_output`` and
`ChunkCutter.feed`.

**Lines.** There is one numbering per attempt, from 0, over all streams, in the order of chunks: a chunk's
lines that *begin* in it are ``first_line``, ``first_line + 1`` … and there are ``line_count`` of
them; the next chunk goes on from there. The head of a chunk that ``continues`` is no line of its own: it is
more of the last line that began in this stream. A line ends with a newline, or with its step.
"""

from typing import Literal

from msgspec import Struct

ChunkStream = Literal["stdout", "stderr", "howdah"]

CHUNK_BYTES = 64 * 1024
# What a chunk takes of memory beside its bytes, about: a program may change streams with every byte.
_CHUNK_WEIGHT = 512
_MOST_OFFSET_MS = 2**31 - 1


class Chunk(Struct, frozen=True):
    """A piece of one stream of one step, byte for byte."""

    seq: int
    step: int | None
    stream: ChunkStream
    first_line: int
    data: bytes
    # How many lines that begin here began so many ms after ``at``: one entry for each reading, not for each line.
    offset_runs: list[tuple[int, int]]
    continues: bool
    # When the first byte was read (Unix, seconds).
    at: float

    @property
    def line_count(self) -> int:
        """How many lines begin here."""
        return sum(count for count, _ in self.offset_runs)

    @property
    def line_offsets_ms(self) -> list[int]:
        """For each line that begins here: when its first byte was read, in ms after ``at``."""
        return [offset for count, offset in self.offset_runs for _ in range(count)]

    @property
    def weight(self) -> int:
        """Bytes of memory that it takes, about."""
        return len(self.data) + _CHUNK_WEIGHT


class _Draft:
    """The chunk that is being filled."""

    __slots__ = ("at", "continues", "line_count", "parts", "runs", "size", "step", "stream")

    def __init__(self, stream: ChunkStream, step: int | None, at: float, *, continues: bool) -> None:
        self.stream: ChunkStream = stream
        self.step = step
        self.at = at
        self.continues = continues
        self.parts: list[bytes] = []
        self.size = 0
        self.runs: list[tuple[int, int]] = []
        self.line_count = 0


class ChunkCutter:
    """Turns the bytes of one attempt into chunks, numbered from ``first_seq``.

    A new chunk begins whenever the stream or the step changes, so that chunks tell the order of reading
    across streams. No chunk is longer than ``chunk_bytes``, and none ends within a UTF-8 sequence that may
    yet be completed: up to three bytes are held back until more comes or the step ends. After ``cap_bytes``
    of output the rest is dropped, and one ``howdah`` line says so.
    """

    def __init__(self, *, cap_bytes: int, first_seq: int = 1, chunk_bytes: int = CHUNK_BYTES) -> None:
        self._cap_bytes = cap_bytes
        self._chunk_bytes = max(chunk_bytes, 8)
        self._seq = first_seq
        self._next_line = 0
        self._step: int | None = None
        self._accepted = 0
        self._capped = False
        self._draft: _Draft | None = None
        self._done: list[Chunk] = []
        self._done_weight = 0
        self._held: dict[ChunkStream, bytes] = {}
        self._open_lines: set[ChunkStream] = set()
        self.dropped_bytes = 0

    @property
    def pending_bytes(self) -> int:
        """What `take` would return, in bytes of memory: stop feeding while this is high."""
        return self._done_weight + (self._draft.size if self._draft else 0)

    @property
    def next_line(self) -> int:
        """Number of the line that begins next."""
        return self._next_line + (self._draft.line_count if self._draft else 0)

    def feed(self, stream: Literal["stdout", "stderr"], step: int, data: bytes, now: float) -> None:
        """Add output of a step. That of another step than before ends the step before."""
        if step != self._step:
            self.end_step(now)
            self._step = step
        if not data:
            return
        room = self._cap_bytes - self._accepted
        if len(data) <= room:
            self._accepted += len(data)
            self._add(stream, data, now)
            return
        if not self._capped:
            self._capped = True
            self._accepted = self._cap_bytes
            kept = self._held.pop(stream, b"") + data[:room]
            torn = incomplete_tail(kept)
            self.dropped_bytes += len(data) - room + torn
            self._place(stream, step, kept[: len(kept) - torn], now)
            limit = f"the log has reached its limit of {self._cap_bytes} bytes: what follows is dropped"
            self.note(limit, now, step=step)
            return
        self.dropped_bytes += len(data)

    def note(self, text: str, now: float, *, step: int | None = None) -> None:
        """Add lines of the executor's own (stream ``howdah``); they are never dropped."""
        self._place("howdah", step, text.encode(errors="replace") + b"\n", now)

    def end_step(self, now: float) -> None:
        """Let go what was held back: no more will come to complete it. The next output begins a new line."""
        for stream, data in list(self._held.items()):
            self._place(stream, self._step, data, now)
        self._held.clear()
        self._close()
        self._open_lines.clear()

    def finish(self, now: float) -> None:
        """End the last step, and say how much was dropped, if anything."""
        self.end_step(now)
        if self.dropped_bytes:
            self.note(f"{self.dropped_bytes} bytes of output were dropped", now)

    def take(self) -> list[Chunk]:
        """Hand over everything but the bytes held back, in order; the numbers in ``seq`` have no gaps."""
        self._close()
        taken, self._done, self._done_weight = self._done, [], 0
        return taken

    def _add(self, stream: ChunkStream, data: bytes, now: float) -> None:
        if stream in self._held:
            data = self._held.pop(stream) + data
        tail = incomplete_tail(data)
        if tail:
            self._held[stream] = data[-tail:]
            data = data[:-tail]
        self._place(stream, self._step, data, now)

    def _place(self, stream: ChunkStream, step: int | None, data: bytes, now: float) -> None:
        """Put ``data`` into the draft, and into as many further ones as it takes."""
        start = 0
        while start < len(data):
            draft = self._draft_for(stream, step, now)
            piece = data[start : start + self._chunk_bytes - draft.size]
            if start + len(piece) < len(data):
                piece = piece[: len(piece) - incomplete_tail(piece)]
            if piece:
                self._fill(draft, piece, now)
                start += len(piece)
            if start < len(data):
                self._close()

    def _draft_for(self, stream: ChunkStream, step: int | None, now: float) -> _Draft:
        draft = self._draft
        if draft is None or draft.stream != stream or draft.step != step or draft.size >= self._chunk_bytes:
            self._close()
            self._draft = draft = _Draft(stream, step, now, continues=stream in self._open_lines)
        return draft

    def _fill(self, draft: _Draft, piece: bytes, now: float) -> None:
        ended = piece.endswith(b"\n")
        begun = piece.count(b"\n") + (not ended) - (draft.stream in self._open_lines)
        if begun:
            # The clock may step, back or far ahead; an offset is never negative, nor more than its column holds.
            offset = min(max(0, round((now - draft.at) * 1000)), _MOST_OFFSET_MS)
            before = draft.runs.pop()[0] if draft.runs and draft.runs[-1][1] == offset else 0
            draft.runs.append((before + begun, offset))
            draft.line_count += begun
        draft.parts.append(piece)
        draft.size += len(piece)
        if ended:
            self._open_lines.discard(draft.stream)
        else:
            self._open_lines.add(draft.stream)

    def _close(self) -> None:
        draft, self._draft = self._draft, None
        if draft is None or not draft.size:
            return
        chunk = Chunk(
            seq=self._seq,
            step=draft.step,
            stream=draft.stream,
            first_line=self._next_line,
            data=b"".join(draft.parts),
            offset_runs=draft.runs,
            continues=draft.continues,
            at=draft.at,
        )
        self._done.append(chunk)
        self._done_weight += chunk.weight
        self._seq += 1
        self._next_line += draft.line_count


def incomplete_tail(data: bytes) -> int:
    """How many bytes (0 to 3) at the end of ``data`` begin a UTF-8 sequence that needs more (RFC 3629)."""
    for back in range(1, min(3, len(data)) + 1):
        byte = data[-back]
        if byte < 0x80:
            return 0
        if byte >= 0xC0:
            needed = 2 if 0xC2 <= byte <= 0xDF else 3 if 0xE0 <= byte <= 0xEF else 4 if 0xF0 <= byte <= 0xF4 else 0
            return back if needed > back else 0
    return 0
