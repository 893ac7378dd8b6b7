"""Terminal output as pieces of one style: nothing of it is markup, nothing of the text is lost."""

import re

from hypothesis import given
from hypothesis import strategies as st

from services.ingest.render_ansi import AnsiRenderer, Span, plain

FRAGMENTS = st.lists(
    st.sampled_from(
        [
            *(
                "text",
                "<b>",
                "\n",
                "é",
                "\x00",
                "\x1b[1m",
                "\x1b[31;1m",
                "\x1b[0m",
                "\x1b[m",
                "\x1b[38;5;9m",
                "\x1b[2K",
            ),
            *("\x1b[38;2;1;2;3m", "\x1b]8;;https://x\x1b\\", "\x1b]0;t\x07", "\x1b(B", "\x1bM", "\x1b[?25l"),
        ]
    ),
    max_size=12,
)


def rendered(*chunks: str) -> list[Span]:
    renderer = AnsiRenderer()
    return [span for chunk in chunks for span in renderer.render(1, chunk)]


def text_of(spans: list[Span]) -> str:
    return "".join(text for _, text in spans)


def test_colours_and_attributes_are_classes() -> None:
    assert rendered("\x1b[31mred\x1b[1mbold\x1b[22;39mplain") == [
        ("ansi-fg-red", "red"),
        ("ansi-fg-red ansi-bold", "bold"),
        ("", "plain"),
    ]
    assert rendered("\x1b[97;44mx\x1b[0my") == [("ansi-fg-bright-white ansi-bg-blue", "x"), ("", "y")]
    assert rendered("\x1b[38;5;9mx\x1b[38;5;200my") == [("ansi-fg-bright-red", "x"), ("", "y")]
    # The numbers of an extended colour are not attributes.
    assert rendered("\x1b[38;2;1;4;7mx\x1b[48;2;1;1;1;1my") == [("", "x"), ("ansi-bold", "y")]
    assert rendered("\x1b[4:3mx") == [("ansi-underline ansi-italic", "x")]


def test_other_sequences_are_left_out() -> None:
    assert rendered("a\x1b[2K\x1b[1Gb\x1b]0;title\x07c\x1b]8;;https://x\x1b\\link\x1b]8;;\x1b\\\x1b(Bd\x00\x08") == [
        ("", "a"), ("", "b"), ("", "c"), ("", "link"), ("", "d\ufffd"),
    ]  # fmt: skip
    assert plain("\x1b[31mred\x1b[0m\tx\r\n\x07") == "red\tx\r\n"


def test_a_style_and_a_sequence_go_on_in_the_next_chunk() -> None:
    assert rendered("\x1b[3", "1mred\x1b", "[0m", "plain") == [("ansi-fg-red", "red"), ("", "plain")]
    assert rendered("\x1b[32mgreen\n", "still") == [("ansi-fg-green", "green\n"), ("ansi-fg-green", "still")]


def test_a_number_of_any_length_is_no_error() -> None:
    endless = "9" * 60_000
    for sequence in (f"\x1b[{endless}m", f"\x1b[1;{endless};31m", f"\x1b[38;5;{endless}m", f"\x1b[{'0' * 60_000}1m"):
        spans = AnsiRenderer().render(1, f"{sequence}text")
        assert spans in ([("", "text")], [("ansi-bold ansi-fg-red", "text")], [("ansi-bold", "text")])
    assert AnsiRenderer().render(1, f"\x1b[1;{endless};31mtext") == [("ansi-bold ansi-fg-red", "text")]


def test_colours_follow_one_another_in_one_sequence() -> None:
    colors = "38;5;1;48;5;2;38;2;1;2;3;38;5;9;"
    assert AnsiRenderer().render(1, f"\x1b[{colors * 100}1mtext") == [
        ("ansi-bg-green ansi-fg-bright-red ansi-bold", "text")
    ]
    assert AnsiRenderer().render(1, "\x1b[31;38;7;1;4mtext") == [("ansi-fg-red", "text")]


def test_streams_have_styles_of_their_own() -> None:
    renderer = AnsiRenderer()
    renderer.render(1, "\x1b[31m")
    assert renderer.render(2, "plain") == [("", "plain")]


def test_what_only_looks_like_a_sequence_is_not_kept_back_for_ever() -> None:
    assert text_of(rendered("\x1b[" + "1;" * 200, "x")).endswith("x")
    assert text_of(rendered("\x1b]" + "y" * 5000, "x")).endswith("x")


@given(FRAGMENTS, st.data())
def test_where_chunks_are_cut_makes_no_difference(fragments: list[str], data: st.DataObject) -> None:
    text = "".join(fragments) + "end"
    cut = data.draw(st.integers(0, len(text)))
    whole = "".join(f"{classes}|{character}" for classes, piece in rendered(text) for character in piece)
    parts = "".join(
        f"{classes}|{character}" for classes, piece in rendered(text[:cut], text[cut:]) for character in piece
    )
    assert parts == whole
    assert text_of(rendered(text)) == plain(text)


@given(st.text(max_size=100))
def test_classes_come_from_a_closed_set(text: str) -> None:
    for classes, shown in rendered(text, "\x1b[0m"):
        assert re.fullmatch(r"(ansi-[a-z-]+( ansi-[a-z-]+)*)?", classes)
        assert "\x1b" not in shown
