"""Chunks: every byte once and in order, lines numbered without gaps, characters whole."""

import sys
from collections import defaultdict
from typing import Literal

import hypothesis.strategies as st
from hypothesis import given, settings

from services.executor.cut_chunks import Chunk, ChunkCutter, incomplete_tail

in_any_time = settings(deadline=None)

Piece = tuple[Literal["stdout", "stderr"], int, bytes]

TEXT = st.text(alphabet="aé€😀\n\0", max_size=12).map(str.encode)
PIECES = st.lists(
    st.tuples(st.sampled_from(["stdout", "stderr"]), st.integers(0, 1), st.one_of(TEXT, st.binary(max_size=12))),
    max_size=30,
)


def cutter(*, cap_bytes: int = 1_000_000, chunk_bytes: int = 64 * 1024) -> ChunkCutter:
    return ChunkCutter(cap_bytes=cap_bytes, chunk_bytes=chunk_bytes)


def cut(pieces: list[Piece], *, chunk_bytes: int = 16, take_every: int = 3) -> list[Chunk]:
    """Feed the pieces in the order of their steps, taking now and then."""
    cutting = cutter(chunk_bytes=chunk_bytes)
    chunks: list[Chunk] = []
    for number, (stream, step, data) in enumerate(sorted(pieces, key=lambda piece: piece[1])):
        cutting.feed(stream, step, data, 1000.0 + number)
        if number % take_every == 0:
            chunks += cutting.take()
    cutting.finish(2000.0)
    return chunks + cutting.take()


def texts(chunks: list[Chunk]) -> list[tuple[str, bytes]]:
    return [(chunk.stream, chunk.data) for chunk in chunks]


@in_any_time
@given(PIECES, st.integers(8, 20), st.integers(1, 5))
def test_every_byte_comes_out_once_and_in_order(pieces: list[Piece], chunk_bytes: int, take_every: int) -> None:
    fed: dict[tuple[str, int], bytes] = defaultdict(bytes)
    for stream, step, data in pieces:
        fed[stream, step] += data
    got: dict[tuple[str, int | None], bytes] = defaultdict(bytes)
    for chunk in cut(pieces, chunk_bytes=chunk_bytes, take_every=take_every):
        assert 0 < len(chunk.data) <= chunk_bytes
        got[chunk.stream, chunk.step] += chunk.data
    assert dict(got) == {key: data for key, data in fed.items() if data}


@in_any_time
@given(PIECES, st.integers(8, 20), st.integers(1, 5))
def test_numbers_of_chunks_and_lines_have_no_gaps(pieces: list[Piece], chunk_bytes: int, take_every: int) -> None:
    chunks = cut(pieces, chunk_bytes=chunk_bytes, take_every=take_every)
    line = 0
    for seq, chunk in enumerate(chunks, start=1):
        assert (chunk.seq, chunk.first_line) == (seq, line)
        line += len(chunk.line_offsets_ms)
    # As many lines as a reader counts who puts each stream of each step together.
    whole: dict[tuple[str, int | None], bytes] = defaultdict(bytes)
    for chunk in chunks:
        whole[chunk.stream, chunk.step] += chunk.data
    assert line == sum(data.count(b"\n") + (not data.endswith(b"\n")) for data in whole.values())


@in_any_time
@given(PIECES, st.integers(8, 20), st.integers(1, 5))
def test_a_chunk_continues_exactly_when_its_stream_stopped_within_a_line(
    pieces: list[Piece], chunk_bytes: int, take_every: int
) -> None:
    last: dict[tuple[str, int | None], bytes] = {}
    for chunk in cut(pieces, chunk_bytes=chunk_bytes, take_every=take_every):
        before = last.get((chunk.stream, chunk.step), b"\n")
        assert chunk.continues == (not before.endswith(b"\n"))
        begun = chunk.data.count(b"\n") + (not chunk.data.endswith(b"\n")) - chunk.continues
        assert len(chunk.line_offsets_ms) == begun
        last[chunk.stream, chunk.step] = chunk.data


@in_any_time
@given(st.text(alphabet="aé€😀\n", max_size=60), st.integers(1, 7), st.integers(8, 20))
def test_no_character_is_torn(text: str, size: int, chunk_bytes: int) -> None:
    data = text.encode()
    cutting = cutter(chunk_bytes=chunk_bytes)
    for start in range(0, len(data), size):
        cutting.feed("stdout", 1, data[start : start + size], 0.0)
        for chunk in cutting.take():
            chunk.data.decode()
    cutting.finish(0.0)
    for chunk in cutting.take():
        chunk.data.decode()


@in_any_time
@given(st.binary(max_size=6))
def test_only_what_may_yet_become_a_character_is_held_back(data: bytes) -> None:
    tail = incomplete_tail(data)
    assert tail <= 3
    if tail:
        held = data[-tail:]
        needed = {0xC0: 2, 0xE0: 3, 0xF0: 4}[0xC0 if held[0] < 0xE0 else 0xE0 if held[0] < 0xF0 else 0xF0]
        assert len(held) < needed
        assert all(0x80 <= byte <= 0xBF for byte in held[1:])


def test_the_tail_of_every_cut_character_is_held_back() -> None:
    for character in ("é", "€", "😀"):
        whole = character.encode()
        for length in range(1, len(whole)):
            assert incomplete_tail(b"x" + whole[:length]) == length
        assert incomplete_tail(b"x" + whole) == 0
    for never in (b"", b"a", b"\x80", b"\xff", b"\xc0", b"\xf5", b"\x80\x80\x80\x80"):
        assert incomplete_tail(never) == 0


def test_held_back_bytes_come_out_at_the_end_of_the_step() -> None:
    cutting = cutter()
    cutting.feed("stdout", 1, b"a\xf0\x9f", 1.0)
    assert texts(cutting.take()) == [("stdout", b"a")]
    assert cutting.take() == []
    cutting.feed("stdout", 2, b"b\n", 2.0)
    first, second = cutting.take()
    assert (first.step, first.data, first.continues) == (1, b"\xf0\x9f", True)
    assert (second.step, second.data, second.continues, second.first_line) == (2, b"b\n", False, 1)


def test_a_change_of_stream_begins_a_chunk_and_lines_go_on() -> None:
    cutting = cutter()
    cutting.feed("stdout", 1, b"one\nha", 10.0)
    cutting.feed("stderr", 1, b"oops\n", 10.5)
    cutting.feed("stdout", 1, b"lf\nthree\n", 11.25)
    first, second, third = cutting.take()
    assert (first.first_line, first.data, first.continues) == (0, b"one\nha", False)
    assert (second.first_line, second.data, second.continues) == (2, b"oops\n", False)
    assert (third.first_line, third.data, third.continues) == (3, b"lf\nthree\n", True)
    assert [first.line_offsets_ms, second.line_offsets_ms, third.line_offsets_ms] == [[0, 0], [0], [0]]


def test_line_offsets_count_from_the_chunks_first_byte_and_never_below_zero() -> None:
    cutting = cutter()
    cutting.feed("stdout", 1, b"a\nb", 10.0)
    cutting.feed("stdout", 1, b"b\nc\n", 10.25)
    cutting.feed("stdout", 1, b"d\n", 9.0)
    (chunk,) = cutting.take()
    assert (chunk.at, chunk.line_offsets_ms) == (10.0, [0, 0, 250, 0])


def test_a_clock_that_is_set_right_makes_no_offset_that_cannot_be_stored() -> None:
    cutting = cutter()
    cutting.feed("stdout", 1, b"a\n", 10.0)
    cutting.feed("stdout", 1, b"b\n", 1_800_000_000.0)
    (chunk,) = cutting.take()
    assert chunk.line_offsets_ms == [0, 2**31 - 1]


def test_a_long_line_is_cut_and_continued() -> None:
    cutting = cutter(chunk_bytes=8)
    cutting.feed("stdout", 1, b"0123456789abcdef!\nx\n", 1.0)
    assert [(chunk.data, chunk.continues, chunk.first_line) for chunk in cutting.take()] == [
        (b"01234567", False, 0),
        (b"89abcdef", True, 1),
        (b"!\nx\n", True, 1),
    ]


def test_beyond_the_cap_bytes_are_dropped_and_one_marker_says_so() -> None:
    cutting = cutter(cap_bytes=10)
    cutting.feed("stdout", 1, b"12345\n", 1.0)
    cutting.feed("stderr", 1, b"abc\xe2\x82\xac-", 1.0)
    cutting.feed("stdout", 1, b"more\n", 1.0)
    cutting.note("step ended with exit code 1", 1.0, step=1)
    assert texts(cutting.take()) == [
        ("stdout", b"12345\n"),
        ("stderr", b"abc"),
        (
            "howdah",
            b"the log has reached its limit of 10 bytes: what follows is dropped\nstep ended with exit code 1\n",
        ),
    ]
    cutting.feed("stdout", 2, b"still more\n", 1.0)
    assert cutting.take() == []
    assert cutting.dropped_bytes == 4 + 5 + 11
    cutting.finish(1.0)
    assert texts(cutting.take()) == [("howdah", b"20 bytes of output were dropped\n")]


def test_output_of_exactly_the_cap_is_not_marked() -> None:
    cutting = cutter(cap_bytes=3)
    cutting.feed("stdout", 1, b"ab\n", 1.0)
    cutting.finish(1.0)
    assert texts(cutting.take()) == [("stdout", b"ab\n")]
    assert cutting.dropped_bytes == 0


def test_notes_are_lines_of_their_own_within_a_line_of_output() -> None:
    cutting = cutter()
    cutting.feed("stdout", 1, b"half", 1.0)
    cutting.note("canceled by ada", 2.0)
    cutting.feed("stdout", 1, b" done\n", 3.0)
    assert [(chunk.stream, chunk.step, chunk.first_line, chunk.continues) for chunk in cutting.take()] == [
        ("stdout", 1, 0, False),
        ("howdah", None, 1, False),
        ("stdout", 1, 2, True),
    ]


def test_pending_bytes_count_the_data_and_what_each_chunk_takes_beside_it() -> None:
    cutting = cutter(chunk_bytes=8)
    cutting.feed("stdout", 1, b"x" * 4 + b"\xf0", 1.0)
    assert cutting.pending_bytes == 4
    for number in range(100):
        cutting.feed("stderr" if number % 2 else "stdout", 1, b"y", 2.0)
    pending = cutting.pending_bytes
    chunks = cutting.take()
    data = sum(len(chunk.data) for chunk in chunks)
    assert pending > data + 99 * sys.getsizeof(chunks[0])
    assert cutting.pending_bytes == 0


def test_lines_read_together_cost_one_entry() -> None:
    cutting = cutter()
    cutting.feed("stdout", 1, b"\n" * 30_000, 1.0)
    cutting.feed("stdout", 1, b"\n" * 10_000, 1.0002)
    cutting.feed("stdout", 1, b"\n" * 5, 1.5)
    (chunk,) = cutting.take()
    assert chunk.offset_runs == [(40_000, 0), (5, 500)]
    assert chunk.line_count == 40_005
    assert chunk.line_offsets_ms == [0] * 40_000 + [500] * 5
