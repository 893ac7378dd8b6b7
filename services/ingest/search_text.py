"""The lines that begin in a block, as numbered text, and those among them that a query means. Pure.

A line is found in the block in which it begins, and read on into the next one. One that is longer than what a block
knows of it (`LONG_LINE_BYTES`) is found in pieces, of which the later ones have no number of their own.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Final

import msgspec

from services.ingest.search_terms import LogQuery
from shared.logs.gather_lines import Lines, gather_lines
from shared.logs.lower_text import lower_text
from shared.logs.pack_block import OpenBlock
from shared.logs.stored_chunk import StoredChunk
from shared.logs.strip_ansi import plain_text

# What a block says of its words reaches so far into the blocks beside it, at least.
LONG_LINE_BYTES: Final = 64 * 1024
# The number of a piece of a line that began in an earlier block.
UNKNOWN: Final = -1

_STREAMS: Final = 3
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class NumberedText(msgspec.Struct, frozen=True):
    """Lines, each with its newline, in the order of their numbers, behind pieces of earlier lines, if there are any."""

    text: str
    # The same in lower case: line for line, though not always letter for letter.
    lower: str
    # Stretches of lines whose numbers follow one another: the index of the first line of each, and its number.
    starts: tuple[int, ...]
    numbers: tuple[int, ...]
    line_count: int

    def number_of(self, index: int) -> int:
        """Return the number of a line, or `UNKNOWN`."""
        stretch = bisect_right(self.starts, index) - 1
        number = self.numbers[stretch]
        return number if number == UNKNOWN else number + index - self.starts[stretch]

    def lines(self) -> list[str]:
        """Return the lines without their ends."""
        return [line.removesuffix("\r") for line in self.text.split("\n")[:-1]]


class FoundLine(msgspec.Struct, frozen=True):
    """A line that is meant: the how manyth of its block, its number, or `UNKNOWN`, and its text."""

    index: int
    number: int
    text: str


def open_lines(block: OpenBlock) -> frozenset[int]:
    """Return the numbers of the lines that begin in a block, and may go on in the next one."""
    found: set[int] = set()
    ended: set[int] = set()
    position = len(block.data)
    for place in reversed(range(len(block.lengths))):
        stream, count = block.streams[place], block.line_counts[place]
        if block.steps[place] != block.steps[-1] or len(ended) == _STREAMS:
            break
        if stream not in ended:
            if block.data[position - 1] == 0x0A:
                ended.add(stream)
            elif count:
                found.add(block.first_lines[place] + count - 1)
                ended.add(stream)
        position -= block.lengths[place]
    return frozenset(found)


def read_text(block: OpenBlock, after: Sequence[StoredChunk] = ()) -> NumberedText:
    """Return the lines that begin in a block, whole as far as the chunks after it reach."""
    if (lines := _plain_lines(block, after)) is None:
        lines = gather_lines(block.chunks(), after=after)
    numbered = sorted((part for part in lines if part.first is not None), key=lambda part: part.first or 0)
    heads = [part for part in lines if part.first is None and len(part.data) > LONG_LINE_BYTES]
    parts = [*heads, *numbered]
    counts = [part.data.count(b"\n") for part in parts]
    text = plain_text(b"".join(part.data for part in parts))
    return NumberedText(
        text,
        lower_text(text),
        tuple(accumulate(counts[:-1], initial=0)) if parts else (),
        tuple(UNKNOWN if part.first is None else part.first for part in parts),
        sum(counts),
    )


def find_lines(
    text: NumberedText, query: LogQuery, *, end: int | None = None, accepts: Callable[[int, str], bool] | None = None
) -> Iterator[FoundLine]:
    """Yield the lines that are meant, the last first: those before index `end`, that `accepts` number and text."""
    words = query.words()
    # The rarest leads to the fewest lines.
    lead = min(words, key=text.lower.count)
    same_places = len(text.text) == len(text.lower)
    lines = None if same_places else text.lines()
    before, index = len(text.lower), text.line_count
    while (at := text.lower.rfind(lead, 0, before)) >= 0:
        start = text.lower.rfind("\n", 0, at) + 1
        index -= text.lower.count("\n", start, before)
        before = start
        stop = text.lower.find("\n", at)
        if end is not None and index >= end:
            continue
        if len(words) > 1:
            line_in_lower_case = text.lower[start:stop]
            if not all(word in line_in_lower_case for word in words):
                continue
        line = text.text[start:stop].removesuffix("\r") if lines is None else lines[index]
        if not query.means(line):
            continue
        number = text.number_of(index)
        if accepts is None or accepts(number, line):
            yield FoundLine(index, number, line)


class LineClock:
    """When the lines of a block began, and where they came from."""

    def __init__(self, block: OpenBlock) -> None:
        self._block = block

    def chunk_of(self, number: int) -> int:
        """Return the index of the chunk in which a line begins; of an `UNKNOWN` one, the first."""
        return max(0, bisect_right(self._block.first_lines, number) - 1)

    def at(self, number: int) -> datetime:
        """Return when a line began."""
        chunk = self.chunk_of(number)
        first = sum(self._block.line_counts[:chunk])
        count = min(number - self._block.first_lines[chunk] + 1, self._block.line_counts[chunk])
        offset_ms = sum(self._block.offset_differences[first : first + max(0, count)])
        return _EPOCH + timedelta(microseconds=self._block.recorded_at[chunk], milliseconds=offset_ms)

    def step(self, number: int) -> int:
        """Return the step that a line is of."""
        return self._block.steps[self.chunk_of(number)]

    def stream(self, number: int) -> int:
        """Return the stream that a line is of."""
        return self._block.streams[self.chunk_of(number)]


def _plain_lines(block: OpenBlock, after: Sequence[StoredChunk]) -> list[Lines] | None:
    """Return the lines if the chunks only have to be put one behind the other; otherwise None."""
    if not _is_plain(block):
        return None
    data = block.data
    if not data.endswith(b"\n"):
        rest = after[0] if after else None
        if rest is None or rest.step != block.steps[-1]:
            data += b"\n"
        elif rest.continues and rest.stream == block.streams[-1] and b"\n" in rest.data:
            data += rest.data[: rest.data.index(b"\n") + 1]
        else:
            return None
    if not block.continues[0]:
        return [Lines(block.first_lines[0], block.steps[0], data)]
    head_end = data.index(b"\n") + 1
    head = Lines(None, block.steps[0], data[:head_end])
    if head_end == len(data):
        return [head]
    return [head, Lines(block.first_lines[0], block.steps[0], data[head_end:])]


def _is_plain(block: OpenBlock) -> bool:
    """Whether each chunk begins a line where the one before has ended one, or goes on with its line."""
    ends = list(accumulate(block.lengths))
    data = block.data
    if not any(block.continues[1:]):
        return all(data[end - 1] == 0x0A for end in ends[:-1])
    return all(
        (data[end - 1] != 0x0A and stream == before) if continues else data[end - 1] == 0x0A
        for end, continues, stream, before in zip(
            ends[:-1], block.continues[1:], block.streams[1:], block.streams[:-1], strict=True
        )
    )
