"""The failing line: what a person would point at, from what real programs print; bounded, clean, and never an error."""

import time

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from services.executor.cut_chunks import Chunk, ChunkCutter
from services.executor.failing_rules import RULES
from services.executor.find_failing_line import find_failing_line, find_last_line
from services.executor.join_lines import join_lines
from services.executor.keep_tail import ChunkTail
from tests.unit.executor.failing_samples import SAMPLES, Sample


def cut(*pieces: tuple[bytes, bool], chunk_bytes: int = 64 * 1024) -> list[Chunk]:
    """Return the chunks of pieces of output; True: on stderr."""
    cutter = ChunkCutter(cap_bytes=1 << 30, chunk_bytes=chunk_bytes)
    chunks = []
    for data, is_stderr in pieces:
        cutter.feed("stderr" if is_stderr else "stdout", 0, data, 1.0)
        chunks += cutter.take()
    cutter.finish(2.0)
    return chunks + cutter.take()


@pytest.mark.parametrize("chunk_bytes", [64 * 1024, 16])
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_the_line_that_a_person_would_point_at_is_found(sample: Sample, chunk_bytes: int) -> None:
    output = sample.stdout + sample.stderr
    chunks = cut((sample.stdout.encode(), False), (sample.stderr.encode(), True), chunk_bytes=chunk_bytes)
    found = find_failing_line(chunks, sample.exit_code)
    assert found is not None
    assert found.text == sample.expected
    # By its number, the line is found in the log.
    line = output.split("\n")[found.number]
    assert sample.expected[-12:] in line


def test_the_number_is_that_of_the_whole_log() -> None:
    cutter = ChunkCutter(cap_bytes=1 << 30)
    cutter.feed("stdout", 0, b"error: of another step\n" * 5, 1.0)
    cutter.take()
    cutter.note("step 1 ended", 1.5)
    cutter.take()
    cutter.feed("stdout", 1, b"fine\n", 2.0)
    cutter.feed("stdout", 1, b"err", 2.1)
    chunks = cutter.take()
    cutter.feed("stderr", 1, b"between\n", 2.2)
    cutter.feed("stdout", 1, b"or: cut in two\n", 2.3)
    found = find_failing_line(chunks + cutter.take(), 1)
    assert found is not None
    assert (found.number, found.text) == (7, "error: cut in two")


def test_a_step_that_said_nothing_has_no_failing_line() -> None:
    assert find_failing_line([], 1) is None
    assert find_failing_line(cut((b"\n\n \r\n\x1b[0m\n", False)), 1) is None
    assert find_last_line(cut((b"\n", True))) is None


def test_what_took_too_long_is_told_by_its_last_line() -> None:
    found = find_last_line(cut((b"error: an earlier one\nwaiting for the database\n\n", False)))
    assert found is not None
    assert (found.number, found.text) == (1, "waiting for the database")


def test_the_text_is_one_line_without_controls_and_bounded() -> None:
    hostile = (
        b"error: \x00\x1b[31mred\x1b[0m \xff\xe2\x80\xa8\xe2\x80\xae\x1b]8;;http://x\x1b\\l\x1b]8;;\x1b\\"
        + "é".encode() * 9000
    )
    found = find_failing_line(cut((hostile, False)), 1)
    assert found is not None
    assert found.text.startswith("error: red \N{REPLACEMENT CHARACTER}  lé")
    assert found.text.isprintable()
    assert len(found.text.encode()) <= 2000
    assert found.text.endswith("…")


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(
                st.binary(max_size=40),
                st.sampled_from([sample.stderr.encode() or sample.stdout.encode() for sample in SAMPLES]),
            ),
            st.booleans(),
        ),
        max_size=8,
    ),
    st.integers(8, 64),
    st.integers(0, 255),
)
def test_whatever_is_printed_there_is_an_answer_within_the_log(
    pieces: list[tuple[bytes, bool]], chunk_bytes: int, exit_code: int
) -> None:
    chunks = cut(*pieces, chunk_bytes=chunk_bytes)
    found = find_failing_line(chunks, exit_code)
    if found is not None:
        assert 0 <= found.number < sum(chunk.line_count for chunk in chunks)
        assert found.text
        assert found.text.isprintable()


@pytest.mark.parametrize(
    "line",
    [
        b"a" * 4000,
        b": Assertion '" * 300,
        b"a:1:1" * 800,
        b" > " * 1300,
        b"Traceback (most recent call last):",
        b"xError: x",
        b"[ERROR] " * 500,
        b"x\n",
        b"\n",
    ],
    ids=lambda line: repr(line[:12]),
)
def test_no_output_makes_the_search_long(line: bytes) -> None:
    data = ((line + b"\n") * (256 * 1024 // (len(line) + 1)))[: 256 * 1024]
    chunks = cut((data, False))
    began = time.process_time()
    find_failing_line(chunks, 1)
    # A pattern that goes astray takes minutes; this takes a tenth of a second.
    assert time.process_time() - began < 5


def test_brackets_that_do_not_close_are_not_followed_to_the_end_of_the_line() -> None:
    line = "  Failed a" + " [1" * 60_000
    began = time.process_time()
    assert not any(rule.pattern.search(line) for rule in RULES)
    # As above, of a line that is much longer than those that are searched.
    assert time.process_time() - began < 5


def test_only_the_newest_step_is_kept_and_no_more_of_it_than_its_end() -> None:
    cutter = ChunkCutter(cap_bytes=1 << 30)
    tail = ChunkTail(most_bytes=100_000)
    for step in (0, 1):
        for _ in range(50):
            cutter.feed("stdout", step, b"x" * 9_999 + b"\n", 1.0)
            for chunk in cutter.take():
                tail.add(chunk)
    cutter.note("step 2 ended with exit code 1", 2.0, step=1)
    for chunk in cutter.take():
        tail.add(chunk)
    kept = tail.of_step(1)
    assert tail.of_step(None) == kept
    assert tail.of_step(0) == []
    assert 100_000 <= sum(chunk.weight for chunk in kept) < 100_000 + kept[0].weight
    assert [line.number for line in join_lines(kept, most_lines=1000)] == list(range(100 - len(kept), 100))


def test_of_a_line_whose_beginning_is_not_kept_nothing_is_said() -> None:
    chunks = cut((b"error: begins here" + b"x" * 100, False), (b"\nends\n", False), chunk_bytes=16)
    assert [line.text for line in join_lines(chunks[3:], most_lines=10)] == ["ends"]
