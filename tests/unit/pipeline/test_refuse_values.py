# ruff: noqa: E501 - one case a line
"""Values that do not fit their fields, each with its message and place."""

import pickle

import pytest

from shared.pipeline.limits import MAX_PROBLEMS
from shared.pipeline.load import load_pipeline
from shared.pipeline.problem import PipelineFileError
from tests.unit.pipeline.explain import JOBS, explain


def _job(text: str) -> str:
    return f"on: push\njobs:\n  a:\n    {text}\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("run: ''", "f:4:10: jobs.a.run: is empty"),
        ("run: '  '", "f:4:10: jobs.a.run: is empty"),
        ("run:", "f:4:9: jobs.a.run: has no value; expected text"),
        ("run: ~", "f:4:10: jobs.a.run: `~` means no value; quote it if text is meant"),
        ("run: [x]", "f:4:10: jobs.a.run: expected text, found a list"),
        ("run: {x: y}", "f:4:10: jobs.a.run: expected text, found a mapping"),
        ("run: '" + "x" * 65537 + "'", "f:4:10: jobs.a.run: is longer than 65536 bytes"),
        ("needs: []\n    run: x", "f:4:12: jobs.a.needs: is empty"),
        ("{run: x, steps: [{run: y}]}", "f:4:14: jobs.a: `run` and `steps` exclude each other; keep one of them"),
        ("timeout: 1m", "f:4:5: jobs.a: `run`, `steps` or `task` is missing"),
        ("steps: []", "f:4:12: jobs.a.steps: is empty"),
        ("steps: x", "f:4:12: jobs.a.steps: expected a list, found text"),
        ("steps: [x]", "f:4:13: jobs.a.steps[0]: expected a mapping, found text"),
        ("steps: [{name: x}]", "f:4:13: jobs.a.steps[0]: `run` is missing"),
        ("steps: [" + "{run: x}," * 101 + "]", "f:4:12: jobs.a.steps: has 101 elements; at most 100 are allowed"),
        ("steps: [{run: x, name: 'a\n\n      b'}]", "f:4:28: jobs.a.steps[0].name: must be one line without control characters"),
        ("{run: x, timeout: 90}", "f:4:23: jobs.a.timeout: `90` is not a duration; write hours, minutes and seconds as in `20m`, `90s` or `1h30m`"),
        ("{run: x, timeout: 30m1h}", "f:4:23: jobs.a.timeout: `30m1h` is not a duration; write hours, minutes and seconds as in `20m`, `90s` or `1h30m`"),
        ("{run: x, timeout: ''}", "f:4:23: jobs.a.timeout: `` is not a duration; write hours, minutes and seconds as in `20m`, `90s` or `1h30m`"),
        ("{run: x, timeout: 0s}", "f:4:23: jobs.a.timeout: must be between 1s and 24h"),
        ("{run: x, timeout: 24h1s}", "f:4:23: jobs.a.timeout: must be between 1s and 24h"),
        ("{run: x, when: {}}", "f:4:20: jobs.a.when: is empty"),
        ("{run: x, when: {branch: []}}", "f:4:29: jobs.a.when.branch: is empty"),
        ("{run: x, when: {event: x}}", "f:4:28: jobs.a.when.event: expected `push` or `manual`, found `x`"),
        ("{run: x, when: {branch: '^main$'}}", "f:4:29: jobs.a.when.branch: matches nothing: no branch has `^` in its name; globs know `*`, `**` and `?`"),
        ("{run: x, when: {branch: '!main'}}", "f:4:29: jobs.a.when.branch: globs that exclude branches by `!` are not supported yet"),
        ("{run: x, when: {branch: [a, a]}}", "f:4:33: jobs.a.when.branch[1]: `a` is listed twice"),
        ("{run: x, env: [a]}", "f:4:19: jobs.a.env: expected a mapping, found a list"),
        ("{run: x, env: {A-B: 1}}", "f:4:20: jobs.a.env.A-B: `A-B` cannot name a variable; it must match [A-Za-z_][A-Za-z0-9_]*"),
        ("{run: x, env: {HOWDAH_RUN: 1}}", "f:4:20: jobs.a.env.HOWDAH_RUN: names that begin with `HOWDAH_` are reserved"),
        ("{run: x, env: {A: }}", "f:4:23: jobs.a.env.A: has no value; expected text"),
        ("{run: x, env: {A: null}}", "f:4:23: jobs.a.env.A: `null` means no value; quote it if text is meant"),
        ("{run: x, env: {A: " + "y" * 20000 + ", B: " + "z" * 20000 + "}}", "f:4:19: jobs.a.env: is longer than 32768 bytes in all"),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_refused_with_its_place(text: str, line: str) -> None:
    assert explain(_job(text)) == [line]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{}", "f:1:1: is empty"),
        ("- a", "f:1:1: expected a mapping, found a list"),
        (JOBS, "f:1:1: `on` is missing"),
        ("on: push", "f:1:1: `jobs` is missing"),
        ("on: push\njobs: {}", "f:2:7: jobs: is empty"),
        ("on: push\njobs: []", "f:2:7: jobs: expected a mapping, found a list"),
        (f"on: {{}}\n{JOBS}", "f:1:5: on: is empty"),
        (f"on:\n{JOBS}", "f:1:4: on: has no value; expected `push`"),
        (f"on: {{push: main}}\n{JOBS}", "f:1:12: on.push: expected a mapping, found text"),
        ("on: push\njobs: {plan: {run: x}}", "f:2:8: jobs.plan: `plan` is reserved"),
        ("on: push\njobs: {a: x}", "f:2:11: jobs.a: expected a mapping, found text"),
        ("on: push\njobs: {9a: {run: x}}", "f:2:8: jobs.9a: `9a` cannot name a job; it must match [A-Za-z_][A-Za-z0-9_-]{0,62}"),
        ("on: push\njobs: {\"a\\n\": {run: x}}", "f:2:8: jobs.a\\u000a: `a\\u000a` cannot name a job; it must match [A-Za-z_][A-Za-z0-9_-]{0,62}"),
        ("on: push\njobs: {" + "k" * 64 + ": {run: x}}", f"f:2:8: jobs.{'k' * 59}…: `{'k' * 59}…` cannot name a job; it must match [A-Za-z_][A-Za-z0-9_-]{{0,62}}"),
        ("on: push\njobs:\n" + "".join(f"  j{i}: {{run: x}}\n" for i in range(501)), "f:3:3: jobs: has 501 jobs; at most 500 are allowed"),
        (f"on: push\nname: '${{branch}}'\n{JOBS}", "f:2:7: name: substitution by `${…}` is not supported yet; scripts can use environment variables"),
        (f"on: {{push: {{branches: '${{x}}'}}}}\n{JOBS}", "f:1:23: on.push.branches: substitution by `${…}` is not supported yet; scripts can use environment variables"),
    ],
)  # fmt: skip
def test_a_file_that_does_not_fit_is_refused_with_the_place(text: str, line: str) -> None:
    assert explain(text) == [line]


def test_all_problems_are_told_at_once_in_the_order_of_the_file() -> None:
    text = "on: {push: , cron: }\njobs:\n  a: {run: '', needs: [b, zz]}\n  b: {run: x, needs: a, timeout: x}\n"
    assert [line.split(": ")[0] + ": " + line.split(": ")[1] for line in explain(text)] == [
        "f:1:14: on.cron",
        "f:3:12: jobs.a.run",
        "f:3:27: jobs.a.needs[1]",
        "f:4:22: jobs.b.needs",
        "f:4:34: jobs.b.timeout",
    ]


def test_the_list_of_problems_is_bounded_and_says_so() -> None:
    lines = explain("".join(f"k{i}: v\n" for i in range(20000)))
    assert len(lines) == MAX_PROBLEMS + 1
    assert lines[-1].endswith(f"{MAX_PROBLEMS} problems are listed; there may be more")


def test_the_error_survives_the_way_from_one_process_to_another() -> None:
    with pytest.raises(PipelineFileError) as caught:
        load_pipeline(b"a: 1", filename="x.yml")
    copy = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - made a line above
    assert (str(copy), copy.problems) == (str(caught.value), caught.value.problems)
