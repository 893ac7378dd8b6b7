"""The text of bytes: what is fast says the same as what is plain."""

from hypothesis import example, given
from hypothesis import strategies as st

from shared.logs.strip_ansi import plain_text, strip_ansi

PIECES = st.one_of(
    st.binary(max_size=6),
    st.text(max_size=6).map(lambda text: text.encode(errors="replace")),
    st.sampled_from(
        [
            b"\x1b[31m",
            b"\x1b[0m",
            b"\x1b]8;;http://x\x1b\\",
            b"\x1b]0;t\x07",
            b"\x1b(B",
            b"\x1b",
            b"\x1b[",
            b"\x00",
            b"\r\n",
        ]
    ),
)


@given(st.lists(PIECES, max_size=12).map(b"".join))
@example(b"\xe2\x1b[0m\x82\xac")
@example(b"\xe2\x00\x82\xac \xef\xbf\xbd \x1b[1m")
def test_bytes_and_text_are_stripped_alike(data: bytes) -> None:
    assert plain_text(data) == strip_ansi(data.decode("utf-8", "replace"))


@given(st.binary(max_size=60))
def test_every_end_of_a_line_stays(data: bytes) -> None:
    assert plain_text(data).count("\n") == data.count(b"\n")
