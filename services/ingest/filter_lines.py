"""Those lines of a log that are marked as grave enough, chunk by chunk. Pure.

A line is judged by what the chunk holds in which it begins; what comes of it in later ones goes with it.
"""

import msgspec

from shared.logs.find_level import Level, find_level
from shared.logs.stored_chunk import StoredChunk
from shared.logs.strip_ansi import strip_ansi


class MarkedLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line that is marked, or, where it `continues`, more of one."""

    number: int
    level: str
    # Without its newline.
    text: str
    # When it began, in milliseconds after the chunk's time.
    offset_ms: int | None = None
    continues: bool = False


class LineFilter:
    """Passes on what is marked at least as `least`, of the chunks of one attempt in their order."""

    def __init__(self, least: Level) -> None:
        self._least = least
        self._step: int | None = None
        # Of each stream, the line that has not ended, if it is marked so.
        self._open: dict[int, tuple[int, Level]] = {}

    def feed(self, chunk: StoredChunk) -> list[MarkedLine]:
        """Return what of the chunk is marked so."""
        if chunk.step != self._step:
            self._open.clear()
            self._step = chunk.step
        found: list[MarkedLine] = []
        open_line = self._open.pop(chunk.stream, None)
        lines = chunk.data.decode("utf-8", "replace").split("\n")
        ended = not lines[-1]
        if ended:
            lines.pop()
        if chunk.continues and lines:
            head = lines.pop(0)
            if open_line is not None:
                number, level = open_line
                found.append(MarkedLine(number, level.name.lower(), head, continues=True))
                if not lines and not ended:
                    self._open[chunk.stream] = open_line
        for place, line in enumerate(lines):
            if not line:
                continue
            level = find_level(strip_ansi(line))
            if level < self._least:
                continue
            number = chunk.first_line + place
            found.append(MarkedLine(number, level.name.lower(), line, chunk.line_offsets_ms[place]))
            if place == len(lines) - 1 and not ended:
                self._open[chunk.stream] = (number, level)
        return found


def find_levels(chunk: StoredChunk) -> list[tuple[int, str]]:
    """Return which lines that begin in the chunk are marked, by their numbers, and how."""
    marked = LineFilter(Level.TRACE).feed(chunk)
    return [(line.number, line.level) for line in marked if not line.continues]
