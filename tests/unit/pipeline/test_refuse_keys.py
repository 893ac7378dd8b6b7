# ruff: noqa: E501 - one case a line
"""Keys: those of a later version and unknown ones are refused, never ignored."""

import pytest

from shared.pipeline.fields import SECTIONS
from tests.unit.pipeline.explain import JOBS, explain

_NEVER = "not supported yet"


@pytest.mark.parametrize("key", ["concurrency", "notify"])
def test_keys_of_the_file_that_are_not_supported_yet_are_refused(key: str) -> None:
    assert explain(f"on: push\n{key}: {{}}\n{JOBS}") == [f"f:2:1: {key}: `{key}` is {_NEVER}"]


@pytest.mark.parametrize(
    "key",
    [
        "matrix",
        "image",
        "services",
        "cache",
        "retry",
        "reports",
        "environment",
        "approve",
        "secrets",
        "always",
        "concurrency",
    ],
)
def test_keys_of_jobs_that_are_not_supported_yet_are_refused(key: str) -> None:
    text = f"on: push\njobs:\n  a:\n    run: x\n    {key}: {{}}\n"
    assert explain(text) == [f"f:5:5: jobs.a.{key}: `{key}` is {_NEVER}"]


@pytest.mark.parametrize("event", ["pull_request", "cron", "manual"])
def test_events_that_are_not_supported_yet_are_refused_in_every_form(event: str) -> None:
    assert explain(f"on: {event}\n{JOBS}") == [f"f:1:5: on: `{event}` is {_NEVER}"]
    assert explain(f"on: [push, {event}]\n{JOBS}") == [f"f:1:12: on[1]: `{event}` is {_NEVER}"]
    assert explain(f"on: {{push: , {event}: }}\n{JOBS}") == [f"f:1:14: on.{event}: `{event}` is {_NEVER}"]


def test_filters_by_path_and_default_images_are_not_supported_yet() -> None:
    assert explain(f"on: {{push: {{paths: [src]}}}}\n{JOBS}") == [f"f:1:13: on.push.paths: `paths` is {_NEVER}"]
    assert explain(f"on: push\ndefaults: {{image: x}}\n{JOBS}") == [f"f:2:12: defaults.image: `image` is {_NEVER}"]
    assert explain("on: push\njobs: {a: {run: x, when: {event: cron}}}") == [
        f"f:2:34: jobs.a.when.event: `cron` is {_NEVER}"
    ]


def test_no_key_is_both_supported_and_not() -> None:
    for section in SECTIONS:
        assert not set(section.later) & {field.key for field in section.fields}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("on: push\njobs:\n  a: {run: x}\n  b: {run: x, neds: [a]}", "f:4:15: jobs.b.neds: unknown key; did you mean `needs`?"),
        ("on: push\njobs: {a: {script: x}}", "f:2:12: jobs.a.script: unknown key; did you mean `run`?"),
        ("on: push\njobs: {a: {run: x, depends_on: b}}", "f:2:20: jobs.a.depends_on: unknown key; did you mean `needs`?"),
        (f"on: push\nneeds: a\n{JOBS}", "f:2:1: needs: unknown key; `needs` belongs to a job"),
        (f"on: push\nmatrix: a\n{JOBS}", "f:2:1: matrix: unknown key; `matrix` belongs to a job"),
        (f"on: push\nqqqqqq: a\n{JOBS}", "f:2:1: qqqqqq: unknown key"),
        (f"On: push\n{JOBS}", "f:1:1: On: unknown key; did you mean `on`?"),
        (f"on: {{push: {{branch: main}}}}\n{JOBS}", "f:1:13: on.push.branch: unknown key; did you mean `branches`?"),
        ("on: push\njobs: {a: {steps: [{run: x, naem: y}]}}", "f:2:29: jobs.a.steps[0].naem: unknown key; did you mean `name`?"),
        (f"on: psuh\n{JOBS}", "f:1:5: on: expected `push`, found `psuh`; did you mean `push`?"),
    ],
)  # fmt: skip
def test_an_unknown_key_is_refused_with_what_may_have_been_meant(text: str, line: str) -> None:
    assert explain(text) == [line]
