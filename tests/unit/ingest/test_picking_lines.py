"""Lines by number: however chunks are cut and streams alternate, they are what was written; long ones are folded."""

from hypothesis import given
from hypothesis import strategies as st

from services.ingest.pick_lines import HEAD_BYTES, TAIL_BYTES, LinePicker, LogLine
from shared.logs.stored_chunk import StoredChunk
from tests.stored_logs import Piece, make_chunks, some_pieces, whole_lines


def pick(chunks: list[StoredChunk], first: int, end: int) -> list[LogLine]:
    picker = LinePicker(first, end)
    for chunk in chunks:
        picker.feed(chunk)
        if picker.is_done():
            break
    return picker.take()


@given(some_pieces(st.text(alphabet="ab\n", max_size=8).map(str.encode)), st.integers(0, 12), st.integers(0, 12))
def test_lines_are_what_was_written(pieces: list[Piece], first: int, count: int) -> None:
    chunks = make_chunks(pieces)
    expected = {n: line for n, line in whole_lines(chunks).items() if first <= n < first + count}
    assert {line.number: line.head + b"\n" for line in pick(chunks, first, first + count)} == expected


@given(some_pieces(st.text(alphabet="ab\n", max_size=8).map(str.encode)), st.integers(0, 12), st.integers(0, 3))
def test_it_is_enough_to_begin_with_the_chunk_in_which_the_first_line_begins(
    pieces: list[Piece], first: int, count: int
) -> None:
    chunks = make_chunks(pieces)
    begins = [place for place, chunk in enumerate(chunks) if chunk.first_line <= first]
    start = begins[-1] if begins else 0
    assert pick(chunks[start:], first, first + count) == pick(chunks, first, first + count)


@given(st.integers(0, 3 * HEAD_BYTES), st.integers(1, 5000))
def test_a_long_line_is_folded_to_its_head_and_tail(length: int, piece: int) -> None:
    text = (b"0123456789abcdef" * (length // 16 + 1))[:length]
    pieces = [(0, 1, text[start : start + piece]) for start in range(0, length, piece)]
    (line,) = pick(make_chunks([*pieces, (0, 1, b"\n")]), 0, 1)
    if length <= HEAD_BYTES + TAIL_BYTES:
        assert (line.head, line.tail, line.omitted_bytes) == (text, b"", 0)
    else:
        assert (line.head, line.tail) == (text[:HEAD_BYTES], text[-TAIL_BYTES:])
        assert line.omitted_bytes == length - HEAD_BYTES - TAIL_BYTES


def test_lines_have_their_step_stream_and_time() -> None:
    chunks = make_chunks([(-1, 0, b"hello\n"), (0, 1, b"a\nb"), (0, 2, b"err\n"), (0, 1, b"c\n")])
    lines = pick(chunks, 0, 9)
    assert [(line.number, line.step, line.stream, line.head) for line in lines] == [
        (0, -1, 0, b"hello"),
        (1, 0, 1, b"a"),
        (2, 0, 1, b"bc"),
        (3, 0, 2, b"err"),
    ]
    assert (lines[2].at - chunks[1].recorded_at).total_seconds() == 0.001
