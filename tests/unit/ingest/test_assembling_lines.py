"""Lines out of chunks: however they are cut and streams alternate, each line comes once, whole, with its number."""

from datetime import UTC, datetime
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.executor.cut_chunks import ChunkCutter
from services.ingest.assemble_lines import LineAssembler
from shared.logs.stored_chunk import StoredChunk

STREAMS = {"howdah": 0, "stdout": 1, "stderr": 2}
AT = datetime(2026, 11, 25, tzinfo=UTC)
WRITES = st.lists(
    st.tuples(st.sampled_from(["stdout", "stderr"]), st.integers(0, 2), st.text(alphabet="ab\né", max_size=8)),
    max_size=25,
)


def chunks_of(writes: list[tuple[str, int, str]], *, take_each: bool) -> list[StoredChunk]:
    """Cut as the executor does."""
    cutter = ChunkCutter(cap_bytes=1 << 20, chunk_bytes=9)
    taken = []
    last_step = 0
    for stream, step, text in writes:
        last_step = max(last_step, step)  # steps do not go back
        cutter.feed("stderr" if stream == "stderr" else "stdout", last_step, text.encode(), 1.0)
        if take_each:
            taken += cutter.take()
    cutter.finish(2.0)
    taken += cutter.take()
    return [
        StoredChunk(
            seq=chunk.seq, step=-1 if chunk.step is None else chunk.step, stream=STREAMS[chunk.stream],
            first_line=chunk.first_line, continues=chunk.continues, line_offsets_ms=chunk.line_offsets_ms,
            recorded_at=None, data=chunk.data,  # type: ignore[arg-type] # the time does not matter here
        )
        for chunk in taken
    ]  # fmt: skip


def expected_lines(writes: list[tuple[str, int, str]]) -> list[str]:
    """What each stream wrote in each step, cut at newlines."""
    texts: dict[tuple[int, str], str] = {}
    last_step = 0
    for stream, step, text in writes:
        last_step = max(last_step, step)
        texts[last_step, stream] = texts.get((last_step, stream), "") + text
    return sorted(line for text in texts.values() for line in text.removesuffix("\n").split("\n") if text)


def numbered(chunks: list[StoredChunk]) -> list[tuple[int | None, bytes]]:
    """Return each line with its number."""
    assembler = LineAssembler()
    found = [lines for chunk in chunks for lines in assembler.feed(chunk)] + assembler.finish()
    return [
        (None if lines.first is None else lines.first + offset, line)
        for lines in found
        for offset, line in enumerate(lines.data.splitlines(keepends=True))
    ]


@given(WRITES, st.booleans())
def test_every_line_comes_once_and_whole(writes: list[tuple[str, int, str]], take_each: bool) -> None:
    lines = numbered(chunks_of(writes, take_each=take_each))
    assert all(line.endswith(b"\n") for _, line in lines)
    assert sorted(line.decode().removesuffix("\n") for _, line in lines) == expected_lines(writes)
    assert sorted(number for number, _ in lines if number is not None) == list(range(len(lines)))


@given(WRITES, st.data())
def test_from_any_chunk_on_the_numbers_are_the_same(writes: list[tuple[str, int, str]], data: st.DataObject) -> None:
    """Reading may begin in the middle: a line whose head was not seen has no number."""
    chunks = chunks_of(writes, take_each=True)
    start = data.draw(st.integers(0, len(chunks)))
    partial = {(number, line) for number, line in numbered(chunks[start:]) if number is not None}
    assert partial <= set(numbered(chunks))


@given(WRITES, st.integers(0, 30))
def test_lines_from_a_number_on(writes: list[tuple[str, int, str]], number: int) -> None:
    chunks = chunks_of(writes, take_each=False)
    assembler = LineAssembler()
    found = [lines for chunk in chunks for lines in assembler.feed(chunk)] + assembler.finish()
    kept = b"".join(lines.since(number) for lines in found)
    assert kept == b"".join(line for own, line in numbered(chunks) if own is not None and own >= number)


@given(st.integers(0, 3), st.integers(0, 5000))
def test_pieces_of_a_very_long_line_share_as_much_as_is_asked_for(whole_chunks: int, overlap: int) -> None:
    size = 64 * 1024
    text = b"".join(b"%07d " % number for number in range((4 + whole_chunks) * size // 8)) + b"end\n"
    assembler = LineAssembler(overlap=overlap)
    found = [
        lines
        for start in range(0, len(text), size)
        for lines in assembler.feed(
            StoredChunk(
                seq=1 + start // size, step=0, stream=1, first_line=min(start, 1), continues=start > 0,
                line_offsets_ms=[0] if start == 0 else [], recorded_at=AT, data=text[start : start + size],
            )
        )
    ]  # fmt: skip
    assert assembler.finish() == []
    assert {lines.first for lines in found} == {0}
    assert {lines.at(0) for lines in found} == {AT}
    assert found[0].data + b"".join(lines.data[overlap:] for lines in found[1:]) == text
    assert all(one.data.endswith(two.data[:overlap]) for one, two in pairwise(found))
