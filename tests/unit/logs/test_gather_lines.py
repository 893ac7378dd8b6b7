"""The lines of a block are whole, numbered as in the log, and each of which a part is in it is there."""

from hypothesis import given
from hypothesis import strategies as st

from shared.logs.gather_lines import Lines, gather_lines
from shared.logs.stored_chunk import StoredChunk
from tests.stored_logs import make_chunks, some_pieces, whole_lines

PIECES = some_pieces(st.binary(max_size=6).map(lambda data: bytes(b"\nab\rc"[byte % 5] for byte in data)))


def by_number(found: list[Lines]) -> dict[int, bytes]:
    lines: dict[int, bytes] = {}
    for run in found:
        if run.first is not None:
            for offset, line in enumerate(split(run.data)):
                assert run.first + offset not in lines
                lines[run.first + offset] = line
    return lines


def split(data: bytes) -> list[bytes]:
    assert data.endswith(b"\n")
    return [line + b"\n" for line in data[:-1].split(b"\n")]


def begun_in(chunks: list[StoredChunk]) -> set[int]:
    return {chunk.first_line + place for chunk in chunks for place in range(len(chunk.line_offsets_ms))}


@given(PIECES, st.data())
def test_every_line_that_begins_in_a_block_is_there_and_whole(
    pieces: list[tuple[int, int, bytes]], data: st.DataObject
) -> None:
    chunks = make_chunks(pieces)
    start = data.draw(st.integers(0, len(chunks)))
    end = data.draw(st.integers(start, len(chunks)))
    found = gather_lines(chunks[start:end], chunks[:start], chunks[end:])
    lines = whole_lines(chunks)
    begun = begun_in(chunks[start:end])
    assert by_number(found) == {number: line for number, line in lines.items() if number in begun}


@given(PIECES, st.data())
def test_a_line_that_began_before_is_there_as_a_whole(
    pieces: list[tuple[int, int, bytes]], data: st.DataObject
) -> None:
    chunks = make_chunks(pieces)
    start = data.draw(st.integers(0, len(chunks)))
    end = data.draw(st.integers(start, len(chunks)))
    found = [run.data for run in gather_lines(chunks[start:end], chunks[:start], chunks[end:]) if run.first is None]
    lines = whole_lines(chunks)
    current: dict[int, int] = {}
    reached: list[bytes] = []
    step: int | None = None
    for place, chunk in enumerate(chunks[:end]):
        if chunk.step != step:
            current.clear()
            step = chunk.step
        if chunk.continues:
            number = current[chunk.stream]
            if place >= start and number not in begun_in(chunks[start:end]) and lines[number] not in reached:
                reached.append(lines[number])
        if chunk.line_offsets_ms:
            current[chunk.stream] = chunk.first_line + len(chunk.line_offsets_ms) - 1
    assert set(found) == set(reached)


def test_a_log_without_any_line_end_is_one_line() -> None:
    chunks = make_chunks([(0, 1, b"a"), (0, 1, b"b"), (0, 1, b"c")])
    assert gather_lines(chunks[1:2], chunks[:1], chunks[2:]) == [Lines(None, 0, b"abc\n")]
    assert gather_lines(chunks) == [Lines(0, 0, b"abc\n")]
