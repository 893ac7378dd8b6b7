"""Words: what is looked for is found by its parts, and the fast way finds what the plain way finds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.logs.lower_text import lower_text
from shared.logs.split_words import WORD_BITS, find_words, number_of, number_words, split_words

# Whatever decoding bytes can give.
TEXT = st.text(st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("aZ09 .:,\n_\u00df\u03a3\u0130")))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("GET /api/v1?id=7F-3", ["get", "api", "v1", "id", "7f", "3"]),
        ("10.0.3.17:5432", ["10", "0", "3", "17", "5432"]),
        ("550e8400-e29b-41d4-a716-446655440000", ["550e8400", "e29b", "41d4", "a716", "446655440000"]),
        ("snake_case and kebab-case", ["snake", "case", "and", "kebab", "case"]),
        ("STRASSE Straße straße", ["strasse", "straße", "straße"]),
        ("日本語 テスト", ["日本語", "テスト"]),
        ("naïve café", ["naïve", "café"]),
        ("ΟΔΟΣ.ΓΔ, οδος", ["οδοσ", "γδ", "οδοσ"]),
        ("12:03:04.567890 done in 3.5 s", ["12", "03", "04", "done", "in", "3", "5", "s"]),
        ("2026-11-25T12:03:04,567Z x", ["2026", "11", "25t12", "03", "04", "z", "x"]),
        ("d670460b4b4aece5915caf5c68d12f560a9fe3e4", ["d670460b4b4aece5915caf5c68d12f560a9fe3e4"]),
        ("\ufffd\u2026 --", []),
    ],
)
def test_a_text_is_split_at_everything_but_letters_and_digits(text: str, words: list[str]) -> None:
    assert split_words(text) == words


@given(TEXT)
def test_the_numbers_of_a_text_are_those_of_its_words(text: str) -> None:
    assert number_words(text) == {number_of(word) for word in split_words(text)}


@given(TEXT, TEXT)
def test_a_line_among_others_keeps_its_words(one: str, other: str) -> None:
    assert number_words(f"{one}\n{other}") == number_words(one) | number_words(other)


@given(TEXT)
def test_words_are_found_where_they_stand(text: str) -> None:
    found = find_words(text)
    assert [word for word, _, _ in found] == split_words(text)
    assert [start for _, start, _ in found] == sorted(start for _, start, _ in found)
    # A letter that becomes two in lower case may be of a word by one of them alone.
    if len(lower_text(text)) == len(text):
        assert all(lower_text(text[start:end]) == word for word, start, end in found)


@given(st.text())
def test_numbers_are_bounded(text: str) -> None:
    assert all(0 <= number < 2**WORD_BITS for number in number_words(text))
