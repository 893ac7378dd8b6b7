"""Cut the chunks of a log into blocks. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from shared.logs.stored_chunk import StoredChunk

# Larger ones compress little better, and whoever looks for a line reads a block at least.
BLOCK_BYTES: Final = 256 * 1024
BLOCK_CHUNKS: Final = 4096
# A line may go on across the border of a block: so far it is followed, and counts as part of both.
REACH_BYTES: Final = 64 * 1024
REACH_CHUNKS: Final = 256


class CutBlock(msgspec.Struct, frozen=True):
    """Chunks that make one block, and those next to them."""

    chunks: Sequence[StoredChunk]
    before: Sequence[StoredChunk]
    after: Sequence[StoredChunk]


def cut_blocks(chunks: Sequence[StoredChunk], before: Sequence[StoredChunk], *, is_last: bool) -> Iterator[CutBlock]:
    """Yield blocks of chunks that follow `before`, at least one if there are chunks.

    Unless they are the last, the end of them is left for the next time: a block sees what follows it, as far as it
    reaches.
    """
    known = [*before, *chunks]
    start = len(before)
    while start < len(known):
        end = _end_of_block(known, start)
        after = _reach_on(known, end)
        if end + len(after) == len(known) and not is_last and start > len(before):
            return
        yield CutBlock(known[start:end], _reach_back(known, start), after)
        start = end


def _end_of_block(chunks: Sequence[StoredChunk], start: int) -> int:
    size = 0
    for place in range(start, min(len(chunks), start + BLOCK_CHUNKS)):
        size += len(chunks[place].data)
        if size > BLOCK_BYTES and place > start:
            return place
    return min(len(chunks), start + BLOCK_CHUNKS)


def _reach_back(chunks: Sequence[StoredChunk], end: int) -> Sequence[StoredChunk]:
    size = 0
    start = end
    while start > 0 and size < REACH_BYTES and end - start < REACH_CHUNKS:
        start -= 1
        size += len(chunks[start].data)
    return chunks[start:end]


def _reach_on(chunks: Sequence[StoredChunk], start: int) -> Sequence[StoredChunk]:
    size = 0
    end = start
    while end < len(chunks) and size < REACH_BYTES and end - start < REACH_CHUNKS:
        size += len(chunks[end].data)
        end += 1
    return chunks[start:end]
