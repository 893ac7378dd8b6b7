"""Lines that hold a text or match an expression, found many at once as one by one."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.problem_details import Problem
from services.ingest.search_pattern import read_pattern

LINES = st.lists(st.text(alphabet="abAB\u0130é€ \r", max_size=8), max_size=12)
EXPRESSIONS = [
    *(
        "a",
        "^a",
        "a$",
        "^$",
        "^",
        "$",
        "a*",
        "(a|b)+",
        "[^a]",
        "[^a]+$",
        r"\w+",
        r"\s",
        "a.b",
        "(?i)ab",
        ".*",
        "é|€",
        "ab?",
    ),
    *("(?s)a.b", r"a\n?b", r"[\s\S]b", "b{2}"),
]


def find(pattern: str, lines: list[str], *, regex: bool, case: bool = True) -> list[tuple[str, list[str]]]:
    text = "".join(f"{line}\n" for line in lines)
    hits = read_pattern(pattern, regex=regex, case=case).find(text)
    return [(text[start:end], [text[start:end][one:two] for one, two in spans]) for start, end, spans in hits]


@given(LINES, st.sampled_from(EXPRESSIONS))
def test_an_expression_finds_the_lines_that_match_it(lines: list[str], expression: str) -> None:
    ascii_only = re.compile(expression, re.ASCII)
    expected = [
        (line, [found.group() for found in ascii_only.finditer(line) if found.group()])
        for line in lines
        # Python's $ also matches before a newline at the end, of which there is none here.
        if ascii_only.search(line)
    ]
    assert find(expression, lines, regex=True) == expected


@pytest.mark.parametrize("expression", [r"\Aa", r"a\z", r"(?-m:^a)", r"(?-s:^.$)"])
@given(LINES)
def test_what_means_the_ends_of_all_text_means_those_of_each_line(expression: str, lines: list[str]) -> None:
    plain = re.compile({r"\Aa": "^a", r"a\z": r"a\Z", r"(?-m:^a)": "^a", r"(?-s:^.$)": r"^.\Z"}[expression])
    found = [line for line, _ in find(expression, lines, regex=True)]
    assert found == [line for line in lines if plain.search(line)]


@given(LINES, st.text(alphabet="abAB\u0130é€ ", min_size=1, max_size=3), st.booleans())
def test_a_text_finds_the_lines_that_hold_it(lines: list[str], text: str, case: bool) -> None:
    found = find(text, lines, regex=False, case=case)
    if case:
        assert [line for line, _ in found] == [line for line in lines if text in line]
        assert all(set(matches) == {text} for _, matches in found)
    else:
        assert [line for line, _ in found] == [line for line in lines if text.lower() in line.lower()]
        assert all(matches for _, matches in found)


@pytest.mark.parametrize("line", ["ΟΔΟΣ.ΓΔ", "ΟΔΟΣΑ", "οδος", "İ ΟΔΟΣ.ΓΔ"])
def test_a_text_is_found_whatever_stands_behind_its_sigma(line: str) -> None:
    ((found, matches),) = find("ΟΔΟΣ", [line], regex=False, case=False)
    assert (found, [match.lower() for match in matches]) == (line, ["οδος"])


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("", "give the text"),
        ("a\nb", "line break"),
        ("a(", "missing )"),
        ("ab**", "bad repetition operator at character 3, `**`"),
        ("(?P<n", "cannot be read"),
        ("\\", "trailing"),
        ("((a{100}){100}){100}", "repetition"),
        (r"\pL{1000}", "too large"),
    ],
)
def test_a_pattern_that_cannot_be_read_is_refused_with_why(pattern: str, says: str) -> None:
    with pytest.raises(Problem) as raised:
        read_pattern(pattern, regex=True, case=False)
    assert says in raised.value.detail
