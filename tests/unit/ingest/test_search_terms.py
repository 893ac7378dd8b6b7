"""What a text asks for, and which lines are meant by it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.problem_details import Problem
from services.ingest.search_terms import LogQuery, read_log_query
from shared.logs.split_words import split_words

READ = {
    "error": LogQuery((("error",),)),
    "Error  ERROR": LogQuery((("error",),)),
    "error timeout": LogQuery((("error",), ("timeout",))),
    '"connection refused" -retry': LogQuery((("connection", "refused"),), (("retry",),)),
    'a -"b c"': LogQuery((("a",),), (("b", "c"),)),
    "10.0.0.7": LogQuery((("10", "0", "0", "7"),)),
    "--verbose": LogQuery((("verbose",),)),
    "a - b": LogQuery((("a",), ("b",))),
    "a -- -": LogQuery((("a",),)),
    "key=value-1": LogQuery((("key", "value", "1"),)),
    '"" a': LogQuery((("a",),)),
    'it"s fine': LogQuery((("it", "s"), ("fine",))),
    "東京 -Straße": LogQuery((("東京",),), (("straße",),)),
    '"-a"': LogQuery((("a",),)),
}
REFUSED = ["", "  ", "-a", '-"a b"', "...", '"', 'a "b', '-"', "- -", '"" ""', "é́".replace("é", ""), "x " * 60]


@pytest.mark.parametrize("text", READ)
def test_words_phrases_and_exclusions_are_read(text: str) -> None:
    assert read_log_query(text) == READ[text]


@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_searched_by_is_refused_with_its_field(text: str) -> None:
    with pytest.raises(Problem) as raised:
        read_log_query(text)
    assert raised.value.status_code == 422
    assert [error.field for error in raised.value.errors] == ["q"]


@given(st.text(max_size=40))
def test_a_line_is_meant_by_its_own_text_in_quotation_marks(line: str) -> None:
    line = line.replace('"', " ")
    if split_words(line):
        assert read_log_query(f'"{line}"').means(line)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        query = read_log_query(text)
    except Problem:
        return
    assert query.words()
    assert not LogQuery(query.required, query.required).means(" ".join(query.words()))
