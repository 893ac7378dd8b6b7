"""Blocks hold every chunk once, are bounded, and see what lies on either side of them."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from services.scheduler.cut_blocks import BLOCK_BYTES, BLOCK_CHUNKS, REACH_BYTES, CutBlock, cut_blocks
from shared.logs.stored_chunk import StoredChunk
from tests.stored_logs import make_chunks

SIZES = st.lists(st.one_of(st.integers(1, 200), st.integers(1, 64 * 1024), st.just(64 * 1024)), min_size=1, max_size=40)


def chunks_of(sizes: list[int]) -> list[StoredChunk]:
    return make_chunks([(0, 1, b"x" * size) for size in sizes])


def size_of(block: CutBlock) -> int:
    return sum(len(chunk.data) for chunk in block.chunks)


@given(SIZES)
@settings(max_examples=50)
def test_every_chunk_is_in_one_block_and_none_is_too_large(sizes: list[int]) -> None:
    chunks = chunks_of(sizes)
    blocks = list(cut_blocks(chunks, [], is_last=True))
    assert [chunk for block in blocks for chunk in block.chunks] == chunks
    for block, following in pairwise(blocks):
        assert size_of(block) <= BLOCK_BYTES
        assert size_of(block) + len(following.chunks[0].data) > BLOCK_BYTES


@given(SIZES, st.integers(0, 40))
@settings(max_examples=50)
def test_a_block_sees_its_surroundings_as_far_as_a_line_is_followed(sizes: list[int], cut: int) -> None:
    chunks = chunks_of(sizes)
    for block in cut_blocks(chunks[cut:], chunks[:cut], is_last=True):
        first, last = block.chunks[0].seq, block.chunks[-1].seq
        assert [chunk.seq for chunk in block.before] == list(range(first - len(block.before), first))
        assert [chunk.seq for chunk in block.after] == list(range(last + 1, last + 1 + len(block.after)))
        for seen, whole in ((block.before, first == len(block.before) + 1), (block.after, chunks[-1] in block.after)):
            assert whole or last == chunks[-1].seq or sum(len(chunk.data) for chunk in seen) >= REACH_BYTES


@given(SIZES)
@settings(max_examples=50)
def test_what_follows_later_is_waited_for_but_something_is_always_cut(sizes: list[int]) -> None:
    chunks = chunks_of(sizes)
    done: list[StoredChunk] = []
    while len(done) < len(chunks):
        is_last = len(done) + 12 >= len(chunks)
        blocks = list(cut_blocks(chunks[len(done) : len(done) + 12], done, is_last=is_last))
        assert blocks
        done += [chunk for block in blocks for chunk in block.chunks]
        assert done == chunks[: len(done)]


def test_a_block_holds_no_more_chunks_than_can_be_read_at_once() -> None:
    blocks = list(cut_blocks(chunks_of([1] * (2 * BLOCK_CHUNKS + 5)), [], is_last=True))
    assert [len(block.chunks) for block in blocks] == [BLOCK_CHUNKS, BLOCK_CHUNKS, 5]
