"""An expression gives what JMESPath says, or an error that says where; and nobody can make it cost much."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.jobs import JobContext, PermanentError
from shared.jobs.builtin.evaluate_expression import ExpressionError, evaluate_expression
from shared.jobs.builtin.measure_value import measure_value
from shared.jobs.builtin.transform import Transform, transform


def apply(expression: str, data: Any) -> Any:
    return transform(Transform(expression, data), JobContext.for_test())


@pytest.mark.parametrize(
    ("expression", "data", "result"),
    [
        ("a.b[1]", {"a": {"b": [1, 2]}}, 2),
        ("a.missing", {"a": {}}, None),
        ("@", None, None),
        ("rows[?n > `20`].{m: n}", {"rows": [{"n": 30}, {"n": 3}]}, [{"m": 30}]),
        ("[][] | sort(@)", [[[3], [1]], [[2]]], [1, 2, 3]),
        ("sort_by(@, &n)[*].n", [{"n": 2}, {"n": 1}], [1, 2]),
        ("join(', ', @)", ["a", "b"], "a, b"),
        ("to_string(@)", {"a": [1, "x"]}, '{"a":[1,"x"]}'),
        ("contains(@, `[1]`)", [[1], [2]], True),
        ("[0] == [1]", [{"a": 1}, {"a": 1}], True),
        ("[?@ == 'a']", ["a", "b", "a"], ["a", "a"]),
        ("[1:3]", [0, 1, 2, 3], [1, 2]),
        ("reverse(@)", "abc", "cba"),
        ("map(&length(@), @)", ["a", "bc"], [1, 2]),
        ("*.x", {"a": {"x": 1}, "b": {"x": 2}}, [1, 2]),
    ],
)  # fmt: skip
def test_expressions_give_what_the_language_says(expression: str, data: Any, result: Any) -> None:
    assert apply(expression, data) == result


@pytest.mark.parametrize(
    ("expression", "data", "message"),
    [
        ("foo bar", {}, "unexpected 'bar': character 5, after 'foo ', at 'bar'"),
        ("foo[", {}, "the expression ends too early: character 5, after 'foo['"),
        ("a.b.", {}, "the expression ends too early: character 5, after 'a.b.'"),
        ("foo $ bar", {}, "Unknown token $: character 5, after 'foo ', at '$ bar'"),
        ("nothing_such(@)", {}, "Unknown function: nothing_such()"),
        ("length(@)", 7, "length() takes string or array or object, and was given number"),
        ("length(@, @)", [], "length() takes 1 argument, not 2"),
        ("merge()", {}, "merge() takes at least 1 argument, not 0"),
        ("'a' < `1`", {}, "the expression cannot be evaluated: '<' not supported between instances of 'str' and 'int'"),
        ("ceil(to_number('1e999'))", 1, "the expression cannot be evaluated: cannot convert float infinity to integer"),
        ("&a", {}, "the result is no JSON value: it holds an expression reference (&), or is nested too deeply"),
    ],
)  # fmt: skip
def test_an_error_is_permanent_and_says_where(expression: str, data: Any, message: str) -> None:
    with pytest.raises(PermanentError) as caught:
        apply(expression, data)
    assert str(caught.value) == message
    assert caught.value.reason == "bad_expression"


def test_an_error_does_not_repeat_the_data() -> None:
    with pytest.raises(PermanentError) as caught:
        apply("join(',', @)", [1, "the password"])
    assert "password" not in str(caught.value)


DOUBLED = "[@, @]"
TWO_LONG = {"a": "ab" * 100_000, "b": "ab" * 100_000 + "c"}


@pytest.mark.parametrize(
    ("expression", "data"),
    [
        pytest.param(" | ".join([DOUBLED] * 60 + ["to_string(@)"]), 1, id="written out"),
        pytest.param(" | ".join([DOUBLED + "[]"] * 60), [1], id="flattened"),
        pytest.param(" | ".join(["join('', [@, @])"] * 60), "xy", id="joined"),
        pytest.param(" | ".join(["to_string([@])"] * 60), '"', id="quoted again and again"),
        pytest.param(f"[{' | '.join([DOUBLED] * 60)}, {' | '.join([DOUBLED] * 60)}] | [0] == [1]", 1, id="compared"),
        pytest.param(
            " | ".join([*[DOUBLED] * 60, "{a: @, b: @}", "contains([[a]], b)"]), 1, id="looked for"
        ),
        pytest.param(" | ".join([*[DOUBLED + "[]"] * 17, "[?contains(@[], `1`)]"]), [[0]], id="filtered"),
        pytest.param(" | ".join(["[a, b]", *[DOUBLED + "[]"] * 17, "sort(@)"]), TWO_LONG, id="sorted"),
        pytest.param(
            " | ".join(["[[a], [b]]", *[DOUBLED + "[]"] * 15, "sort_by(@, &[0])"]),
            TWO_LONG,
            id="sorted by",
        ),
        pytest.param(
            " | ".join(["[a]", *[DOUBLED + "[]"] * 15, "map(&reverse(@), @)"]), TWO_LONG, id="copied"
        ),
        pytest.param(" | ".join([*[DOUBLED + "[]"] * 15, "[*][:]"]), [list(range(1000))], id="sliced"),
    ],
)  # fmt: skip
def test_an_expression_cannot_cost_more_than_its_steps(expression: str, data: Any) -> None:
    with pytest.raises(PermanentError, match="takes more than 1,000,000 steps on this data"):
        apply(expression, data)


def test_a_result_that_would_be_written_for_ever_is_refused_before_it_is_written() -> None:
    with pytest.raises(PermanentError, match="the result has more than 1 MiB") as caught:
        apply(" | ".join([DOUBLED] * 60), 1)
    assert caught.value.reason == "result_too_large"


def test_what_is_too_deep_is_an_error_and_not_a_crash() -> None:
    for expression in ("(" * 3000 + "a" + ")" * 3000, "a" + " | a" * 2000, " | ".join(["[@]"] * 900)):
        with pytest.raises(PermanentError, match="nested too deeply"):
            apply(expression, 1)


def test_ordinary_work_is_far_from_the_limit() -> None:
    rows = [{"name": f"row {number}", "tags": ["a", "b"], "size": number} for number in range(5000)]
    found = evaluate_expression("sort_by([?size > `10` && contains(tags, 'a')], &size)[*].[name, size]", rows)
    assert len(found) == 4989


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=20,
)
WORDS = st.sampled_from(
    [
        "a", "@", ".", "[", "]", "[]", "[*]", "*", "|", "&&", "||", "!", "==", "<", "(", ")", "&", ",", "{", "}", ":",
        "`1`", "'x'", "length(", "sort_by(", "join(", "to_string(", "map(", "merge(", "[?", "[0]", "[::-1]",
        "contains(", "$",
    ]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(expression=st.lists(WORDS, max_size=12).map(" ".join), data=VALUES)
def test_whatever_the_expression_and_the_data_there_is_a_result_or_an_error_of_ours(expression: str, data: Any) -> None:
    with contextlib.suppress(ExpressionError):
        evaluate_expression(expression, data, most_steps=10_000)


@given(VALUES)
def test_a_value_is_never_measured_larger_than_it_is(value: Any) -> None:
    assert measure_value(value) <= len(json.dumps(value, separators=(",", ":"), ensure_ascii=False))
