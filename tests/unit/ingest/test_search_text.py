"""The lines of blocks as numbered text: whole, in order, and each begun in one block only."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from services.executor.cut_chunks import ChunkCutter
from services.ingest.assemble_lines import LineAssembler
from services.ingest.search_matches import head_of
from services.ingest.search_terms import read_log_query
from services.ingest.search_text import UNKNOWN, LineClock, find_lines, open_lines, read_text
from shared.logs.pack_block import OpenBlock, encode_block, open_block
from shared.logs.stored_chunk import StoredChunk

PIECES = st.tuples(
    st.sampled_from(["stdout", "stderr"]),
    st.integers(0, 2),
    st.sampled_from([b"a", b"needle", b" ", b"\n", b"b\nc", b"\x1b[1mx", b"\xc3\xa9", b"\r\n", b"needle\n"]),
    st.booleans(),
)
STREAMS = {"howdah": 0, "stdout": 1, "stderr": 2}
START = datetime(2026, 11, 25, tzinfo=UTC)


def cut(pieces: list[tuple[str, int, bytes, bool]]) -> list[StoredChunk]:
    """Return what an executor would store; with True, a chunk ends behind the piece."""
    cutter = ChunkCutter(cap_bytes=1 << 20)
    chunks = []
    step = 0
    for number, (stream, later, data, ends) in enumerate(pieces):
        step += later == 2
        cutter.feed("stderr" if stream == "stderr" else "stdout", step, data, START.timestamp() + number)
        if ends:
            chunks += cutter.take()
    cutter.finish(START.timestamp() + len(pieces))
    chunks += cutter.take()
    return [
        StoredChunk(
            seq=chunk.seq,
            step=-1 if chunk.step is None else chunk.step,
            stream=STREAMS[chunk.stream],
            first_line=chunk.first_line,
            continues=chunk.continues,
            line_offsets_ms=list(chunk.line_offsets_ms),
            recorded_at=datetime.fromtimestamp(chunk.at, UTC),
            data=chunk.data,
        )
        for chunk in chunks
    ]


def read_lines(chunks: list[StoredChunk]) -> dict[int, str]:
    """Return all lines by their numbers, joined the plain way."""
    assembler = LineAssembler()
    found: dict[int, str] = {}
    for part in [*(lines for chunk in chunks for lines in assembler.feed(chunk)), *assembler.finish()]:
        assert part.first is not None
        for number, line in enumerate(part.data.decode("utf-8", "replace").split("\n")[:-1], part.first):
            assert number not in found
            found[number] = line.replace("\x1b[1m", "").removesuffix("\r")
    return found


def blocks_of(chunks: list[StoredChunk], size: int) -> list[OpenBlock]:
    return [open_block(encode_block(chunks[start : start + size])) for start in range(0, len(chunks), size)]


@given(st.lists(PIECES, min_size=1, max_size=30), st.integers(1, 8))
@settings(max_examples=300)
def test_blocks_hold_every_line_once_and_whole(pieces: list[tuple[str, int, bytes, bool]], size: int) -> None:
    chunks = cut(pieces)
    expected = read_lines(chunks)
    assert list(expected) == sorted(expected) or set(expected) == set(range(len(expected)))
    found: dict[int, str] = {}
    blocks = blocks_of(chunks, size)
    for place, block in enumerate(blocks):
        # A line that goes on over a whole block is known as far as the next one reaches.
        after = [chunk for later in blocks[place + 1 :] for chunk in head_of(later)]
        text = read_text(block, after)
        for index, line in enumerate(text.lines()):
            number = text.number_of(index)
            assert number != UNKNOWN
            assert number not in found
            found[number] = line
    assert found == expected


@given(st.lists(PIECES, min_size=1, max_size=30), st.integers(1, 8))
def test_lines_that_are_not_open_are_whole_without_the_next_block(
    pieces: list[tuple[str, int, bytes, bool]], size: int
) -> None:
    chunks = cut(pieces)
    expected = read_lines(chunks)
    for block in blocks_of(chunks, size):
        unsure = open_lines(block)
        text = read_text(block)
        for index, line in enumerate(text.lines()):
            number = text.number_of(index)
            assert line == expected[number] or number in unsure


@given(st.lists(PIECES, min_size=1, max_size=30), st.integers(0, 20))
def test_the_lines_that_are_meant_are_found_the_last_first(
    pieces: list[tuple[str, int, bytes, bool]], end: int
) -> None:
    block = open_block(encode_block(cut(pieces)))
    text = read_text(block)
    query = read_log_query("needle -a")
    meant = [index for index, line in enumerate(text.lines()) if query.means(line)]
    assert [line.index for line in find_lines(text, query)] == meant[::-1]
    assert [line.index for line in find_lines(text, query, end=end)] == [index for index in meant if index < end][::-1]


@given(st.lists(PIECES, min_size=1, max_size=30))
def test_the_clock_of_a_block_tells_what_the_chunks_say(pieces: list[tuple[str, int, bytes, bool]]) -> None:
    chunks = cut(pieces)
    clock = LineClock(open_block(encode_block(chunks)))
    for chunk in chunks:
        for place, offset in enumerate(chunk.line_offsets_ms):
            number = chunk.first_line + place
            assert clock.at(number) == chunk.recorded_at + timedelta(milliseconds=offset)
            assert (clock.step(number), clock.stream(number)) == (chunk.step, chunk.stream)


def test_a_word_is_found_whatever_stands_behind_its_sigma() -> None:
    lines = ["ΟΔΟΣ.ΓΔ", "οδος"]
    chunks = cut([("stdout", 0, f"{line}\n".encode(), True) for line in lines])
    query = read_log_query("ΟΔΟΣ")
    block = open_block(encode_block(chunks))
    assert [line.text for line in find_lines(read_text(block), query)] == lines[::-1]
