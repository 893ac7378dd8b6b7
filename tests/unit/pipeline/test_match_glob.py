"""Globs match what they say, as a plain regular expression says it too, in linear time."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.pipeline.match_glob import match_glob


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("main", ["main"], ["", "mai", "main2", "Main", "a/main"]),
        ("release/*", ["release/1", "release/"], ["release", "release/1/2", "a/release/1"]),
        ("release/**", ["release/1", "release/1/2", "release/"], ["release", "prerelease/1"]),
        ("v?", ["v1", "vé"], ["v", "v12", "v/"]),
        ("*", ["", "main"], ["a/b"]),
        ("**", ["", "main", "a/b/c"], []),
        ("**/fix", ["fix", "a/fix", "a/b/fix"], ["a/fixed", "prefix"]),
        ("a/**/z", ["a/z", "a/b/z", "a/b/c/z"], ["az", "a/bz"]),
        ("a**z", ["az", "a/z", "a/b/z"], ["a/b"]),
        ("*-*", ["a-b", "-", "a-b-c"], ["ab", "a/-"]),
        ("***", ["", "a/b"], []),
        ("a+b.c", ["a+b.c"], ["aab.c", "a+bxc"]),
    ],
)
def test_globs_match_whole_names(pattern: str, matching: list[str], other: list[str]) -> None:
    assert [name for name in matching if not match_glob(pattern, name)] == []
    assert [name for name in other if match_glob(pattern, name)] == []


def _as_expression(pattern: str) -> str:
    """Return the regular expression of the same meaning: right, but with exponents in its time."""
    expression = re.sub(r"\*{2,}", "**", pattern)
    expression = re.sub(r"(?:^|(?<=/))\*\*/", "\0", expression)
    translated = {"\0": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(translated.get(t) or re.escape(t) for t in re.findall(r"\*\*|.", expression, re.DOTALL))


_PIECES = ["a", "/", "*", "**", "**/", "?", "/**/"]


@settings(deadline=None, max_examples=200)
@given(st.lists(st.sampled_from(_PIECES), max_size=6).map("".join), st.text("a/b", max_size=8))
def test_globs_mean_what_their_regular_expressions_mean(pattern: str, name: str) -> None:
    assert match_glob(pattern, name) == bool(re.fullmatch(_as_expression(pattern), name))


@settings(deadline=None)
@given(st.text(max_size=20))
def test_a_name_without_wildcards_matches_itself_alone(name: str) -> None:
    literal = name.replace("*", "").replace("?", "")
    assert match_glob(literal, literal)
    assert not match_glob(literal, literal + "x")


def test_patterns_that_would_explode_by_backtracking_do_not() -> None:
    assert not match_glob("*a" * 120 + "b", "a" * 4000)
    assert not match_glob("**/" * 80 + "b", "a/" * 2000)
