"""What a search finds in blocks that were read: the lines that are meant, with those around them. For a thread."""

import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from services.ingest.queries.rows import ListedBlock
from services.ingest.search_excerpt import Excerpt, find_matches, show_context, show_excerpt
from services.ingest.search_terms import LogQuery
from services.ingest.search_text import (
    LONG_LINE_BYTES,
    UNKNOWN,
    FoundLine,
    LineClock,
    NumberedText,
    find_lines,
    open_lines,
    read_text,
)
from shared.errors import DamagedBlockError
from shared.ids import JobId
from shared.logs.find_level import Level, find_level
from shared.logs.pack_block import OpenBlock, open_block
from shared.logs.stored_chunk import StoredChunk

logger = logging.getLogger(__name__)

_STREAMS: Final = 3
_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)

BlockKey = tuple[JobId, int, int]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which lines are meant. `since` is inclusive, `until` exclusive; and `context` lines around each."""

    query: LogQuery
    least_level: Level = Level.UNMARKED
    since: datetime | None = None
    until: datetime | None = None
    context: int = 0


class Match(msgspec.Struct, frozen=True):
    """A line that is meant. It is the `index`th of its block, and has the number `line`, or `UNKNOWN`."""

    block: ListedBlock
    index: int
    line: int
    at: datetime
    step: int
    stream: int
    level: Level
    excerpt: Excerpt
    # Those of the lines around it that begin in the same block, by their numbers.
    around: dict[int, str]


class BlockMatcher:
    """Finds what is wanted in blocks, the newest first. It remembers how lines go on in those that it has seen."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._heads: dict[BlockKey, tuple[StoredChunk, ...]] = {}
        # Blocks that have to be seen before it is sure what was found: lines go on in them.
        self.lacking: set[BlockKey] = set()

    def knows_head(self, key: BlockKey) -> bool:
        """Whether it has seen the block of this job, attempt and first chunk."""
        return key in self._heads

    def take_lacking(self) -> set[BlockKey]:
        """Return the blocks that are `lacking`; they are taken for lost, unless the next call brings them."""
        taken, self.lacking = self.lacking, set()
        self._heads.update(dict.fromkeys(taken, ()))
        return taken

    def match(
        self, blocks: Sequence[ListedBlock], data: dict[BlockKey, bytes], *, most: int, end: int | None
    ) -> list[Match]:
        """Return the last `most` lines that are meant; `end`: in the first block, only among so many in front.

        `data` may also hold blocks in which only lines of the others go on.
        """
        opened: dict[BlockKey, OpenBlock] = {}
        for key, packed in data.items():
            try:
                opened[key] = block = open_block(packed)
            except DamagedBlockError:
                logger.exception("a block of a log cannot be searched", extra={"job_id": str(key[0])})
                continue
            if not self._heads.get(key):
                self._heads[key] = head_of(block)
        found: list[Match] = []
        for place, listed in enumerate(blocks):
            if (searched := opened.get(key_of(listed))) is None:
                continue
            for match in self._match_one(listed, searched, end if place == 0 else None):
                found.append(match)
                if len(found) == most:
                    return found
        return found

    def _match_one(self, listed: ListedBlock, block: OpenBlock, end: int | None) -> Iterator[Match]:
        wanted, clock = self._wanted, LineClock(block)
        following = (listed.job_id, listed.epoch, listed.last_seq + 1)
        text = read_text(block, self._heads.get(following, ()))
        unsure = frozenset() if following in self._heads else open_lines(block)

        def accepts(number: int, line: str) -> bool:
            if wanted.least_level and find_level(line) < wanted.least_level:
                return False
            if wanted.since is None and wanted.until is None:
                return True
            at = clock.at(number)
            return (wanted.since is None or at >= wanted.since) and (wanted.until is None or at < wanted.until)

        lines: list[str] = []
        for line in find_lines(text, wanted.query, end=end, accepts=accepts):
            if wanted.context and not lines:
                lines = text.lines()
            if line.number in unsure:
                self.lacking.add(following)
            yield Match(
                block=listed,
                index=line.index,
                line=line.number,
                at=clock.at(line.number),
                step=clock.step(line.number),
                stream=clock.stream(line.number),
                level=find_level(line.text),
                excerpt=show_excerpt(line.text, find_matches(line.text, wanted.query)),
                around=_lines_around(text, lines, line, wanted.context),
            )


def key_of(block: ListedBlock) -> BlockKey:
    """Return the key of a block."""
    return block.job_id, block.epoch, block.first_seq


def head_of(block: OpenBlock) -> tuple[StoredChunk, ...]:
    """Return the chunks in which lines of the block before go on, as far as a search looks at them."""
    begun: set[int] = set()
    going_on: set[int] = set()
    head: list[StoredChunk] = []
    position = 0
    for place, (length, stream) in enumerate(zip(block.lengths, block.streams, strict=True)):
        all_known = len(begun) == _STREAMS and not going_on
        if all_known or block.steps[place] != block.steps[0] or position >= LONG_LINE_BYTES:
            break
        if block.continues[place] and (stream not in begun or stream in going_on):
            data = block.data[position : position + length]
            head.append(_bare_chunk(block, place, data))
            if b"\n" in data:
                going_on.discard(stream)
            else:
                going_on.add(stream)
        else:
            going_on.discard(stream)
        begun.add(stream)
        position += length
    return tuple(head)


def _bare_chunk(block: OpenBlock, place: int, data: bytes) -> StoredChunk:
    """Return a chunk without what its lines are: it only completes others."""
    return StoredChunk(
        seq=block.seqs[place],
        step=block.steps[place],
        stream=block.streams[place],
        first_line=block.first_lines[place],
        continues=True,
        line_offsets_ms=[],
        recorded_at=_NEVER,
        data=data,
    )


def _lines_around(text: NumberedText, lines: list[str], found: FoundLine, count: int) -> dict[int, str]:
    around: dict[int, str] = {}
    if not count or found.number == UNKNOWN:
        return around
    for index in range(max(0, found.index - count), min(len(lines), found.index + count + 1)):
        number = text.number_of(index)
        if index != found.index and number != UNKNOWN and abs(number - found.number) <= count:
            around[number] = show_context(lines[index])
    return around
