"""A line as a hit shows it."""

from hypothesis import example, given
from hypothesis import strategies as st

from services.ingest.search_excerpt import find_matches, show_context, show_excerpt
from services.ingest.search_terms import LogQuery


def matches_of(line: str, *phrases: tuple[str, ...]) -> list[str]:
    return [line[start:end] for start, end in find_matches(line, LogQuery(phrases))]


def test_matches_are_whole_words_in_any_case() -> None:
    assert matches_of("Error: no error_code, errors", ("error",)) == ["Error", "error"]
    assert matches_of("10.0.0.7 and 10-0-0-7", ("10", "0", "0", "7")) == ["10.0.0.7", "10-0-0-7"]
    assert matches_of("at 12:03:04.567 failed", ("04", "failed")) == ["04.567 failed"]
    assert matches_of("\u0130x Fehler \u0130", ("fehler",)) == ["Fehler"]
    assert matches_of("ΟΔΟΣ.ΓΔ, οδος", ("οδοσ",)) == ["ΟΔΟΣ", "οδος"]


def test_a_phrase_of_numbers_is_found_in_time_by_its_length() -> None:
    """Were any number between two words passed over, as the fraction of a second is, there would be 2 ** 49 ways."""
    line = "1 " * 200 + "2"
    assert matches_of(line, (*["1"] * 49, "2")) == ["1 " * 49 + "2"]
    assert matches_of("1 7 2", ("1", "2")) == []


def test_a_long_line_is_shown_around_its_first_match() -> None:
    line = "a" * 5000 + " needle " + "b" * 5000
    excerpt = show_excerpt(line, find_matches(line, LogQuery((("needle",),))))
    assert len(excerpt.text) == 1000
    assert [excerpt.text[start:end] for start, end in excerpt.matches] == ["needle"]
    assert line[excerpt.omitted_before :].startswith(excerpt.text)
    assert excerpt.omitted_before + len(excerpt.text) + excerpt.omitted_after == len(line)


def test_of_a_progress_bar_the_state_is_shown_that_matches() -> None:
    line = "10%\r20% found\r30%"
    excerpt = show_excerpt(line, [(8, 13)])
    assert (excerpt.text, excerpt.matches) == ("20% found", [(4, 9)])
    assert show_excerpt(line).text == "30%"
    assert show_context("10%\r20%\r") == "20%"


@example("0000\r", [(4, 1)])
@given(st.text(max_size=3000), st.lists(st.tuples(st.integers(0, 2999), st.integers(1, 50)), max_size=5))
def test_what_is_marked_is_what_matched(line: str, places: list[tuple[int, int]]) -> None:
    spans = [(start, min(len(line), start + length)) for start, length in places if start < len(line)]
    excerpt = show_excerpt(line, spans)
    assert len(excerpt.text) <= 1000
    assert line[excerpt.omitted_before : len(line) - excerpt.omitted_after] == excerpt.text
    marked = {excerpt.omitted_before + n for start, end in excerpt.matches for n in range(start, end)}
    assert marked <= {n for start, end in spans for n in range(start, end)}
    assert all(one[1] <= two[0] for one, two in zip(excerpt.matches, excerpt.matches[1:], strict=False))
    # Of a carriage return, which an expression may match, nothing is shown that could be marked.
    if spans and line[min(spans)[0]] != "\r":
        assert excerpt.matches
