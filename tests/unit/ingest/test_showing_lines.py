"""Lines as pages show them: what a terminal would do is done, and nothing in a line does anything else."""

from datetime import UTC, datetime

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.pick_lines import LogLine
from services.ingest.render_ansi import AnsiRenderer
from services.ingest.show_line import ShownLine, level_of, show_line
from services.ingest.show_lines import show_each
from shared.logs.find_level import Level

AT = datetime(2026, 11, 25, tzinfo=UTC)


def show(head: bytes, *, tail: bytes = b"", omitted: int = 0, spans: bool = False) -> ShownLine:
    line = LogLine(7, 0, 1, AT, head, tail, omitted)
    return show_line(line, level_of(line), AnsiRenderer() if spans else None)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"plain", "plain"),
        (b"windows\r", "windows"),
        (b" 1 %\r 50 %\r100 %", "100 %"),
        (b" 1 %\r 50 %\r", " 50 %"),
        (b"\x1b[32m10 %\x1b[0m\r\x1b[2K\x1b[33m20 %\x1b[0m\r\x1b[2K", "20 %"),
        (b"a NUL \0 and no UTF-8 \xff\xfe here, in a text", "a NUL \ufffd and no UTF-8 \ufffd\ufffd here, in a text"),
        (b"\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\", "click"),
        (b"\x1b]0;title\x07shown", "shown"),
        (b"<script>alert(1)</script>", "<script>alert(1)</script>"),
        (b"bell\x07 back\x08space", "bell backspace"),
        (b"", ""),
    ],
)  # fmt: skip
def test_a_line_is_what_a_terminal_would_show(data: bytes, text: str) -> None:
    assert show(data).text == text
    assert "".join(piece for _, piece in show(data, spans=True).spans or []) == text


def test_the_style_that_an_overwritten_state_set_goes_on() -> None:
    assert show(b"\x1b[31mred\rstill red", spans=True).spans == [("ansi-fg-red", "still red")]


def test_a_line_has_the_level_that_it_is_marked_with() -> None:
    assert show(b"\x1b[31mERROR:\x1b[0m no such file").level == "error"
    assert show(b"0 errors").level is None
    assert level_of(LogLine(0, 0, 1, AT, b"WARNING: old")) is Level.WARNING


def test_a_binary_line_is_shown_as_such_with_its_size() -> None:
    for spans in (False, True):
        shown = show(bytes(range(256)) * 4, spans=spans)
        assert (shown.binary, shown.omitted_bytes, shown.text, shown.spans) == (True, 1024, "", None)
    assert not show("só täxt ✓ 文字".encode()).binary


def test_a_folded_line_shows_its_ends_and_how_much_lies_between() -> None:
    shown = show("é".encode() * 10 + b"\xc3", tail=b"\xa9" + b"the end", omitted=1000)
    assert (shown.text, shown.tail, shown.omitted_bytes) == ("é" * 10, "the end", 1000)


@given(st.binary(max_size=200).filter(lambda data: b"\n" not in data))
def test_pieces_of_one_style_are_the_text_and_hold_no_control(data: bytes) -> None:
    plain, styled = show(data), show(data, spans=True)
    assert plain.binary == styled.binary
    if not plain.binary:
        assert "".join(piece for _, piece in styled.spans or []) == plain.text
        assert not any(character < " " and character != "\t" for character in plain.text or "")


async def test_others_have_their_turn_while_many_lines_are_shown() -> None:
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            await anyio.lowlevel.checkpoint()
            turns += 1

    line = LogLine(7, 0, 1, AT, b"\x1b[31mx\x1b[0m")
    async with anyio.create_task_group() as others:
        others.start_soon(count_turns)
        shown = await show_each([(line, Level.UNMARKED)] * 2000, AnsiRenderer())
        others.cancel_scope.cancel()
    assert len(shown) == 2000
    assert turns >= 100
