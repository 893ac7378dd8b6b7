"""Jobs that call a handler: the payload is typed as YAML 1.2 types it, and what makes no sense is refused."""

from typing import Any

import pytest

from shared.pipeline.expand import expand
from shared.pipeline.load import load_pipeline
from tests.unit.pipeline.explain import explain


def load_payload(written: str) -> Any:
    pipeline = load_pipeline(f"on: push\njobs:\n  a: {{task: {{type: t, payload: {written}}}}}\n".encode())
    (job,) = pipeline.jobs
    assert job.task is not None
    return job.task.payload


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("3.10", 3.1),
        ('"3.10"', "3.10"),
        ("yes", "yes"),
        ("true", True),
        ("'true'", "true"),
        ("~", None),
        ("''", ""),
        ("-7", -7),
        ("007", 7),
        ("1e3", 1000.0),
        ("99999999999999999999", 1e20),
        ("2026-11-25", "2026-11-25"),
        ("[1, {a: [b, null]}]", [1, {"a": ["b", None]}]),
        ("{on: x, 1: y}", {"on": "x", "1": "y"}),
    ],
)
def test_a_payload_is_typed_by_yaml_1_2(written: str, meant: Any) -> None:
    payload = load_payload(written)
    assert payload == meant
    assert type(payload) is type(meant)


def test_a_task_is_planned_as_it_was_written() -> None:
    source = b"on: push\njobs:\n  tell: {task: {type: http_request, payload: {url: u}}, timeout: 30s}\n"
    (job,) = expand(load_pipeline(source), event="push", branch="main").jobs
    assert job.task is not None
    assert (job.task.type, job.task.payload, job.steps, job.timeout_seconds) == ("http_request", {"url": "u"}, (), 30)


@pytest.mark.parametrize(
    ("job", "problem"),
    [
        ("{task: {type: t}, run: x}", "f:4:23: jobs.a: `task` and `run` exclude each other; keep one of them"),
        (
            "{task: {type: t}, env: {A: b}}",
            "f:4:23: jobs.a.env: `env` has no meaning here; it goes with `run` or `steps`",
        ),
        ("{task: {payload: 1}}", "f:4:12: jobs.a.task: `type` is missing"),
        ("{task: {typ: t}}", "f:4:13: jobs.a.task.typ: unknown key; did you mean `type`?"),
        (
            "{task: {type: T}}",
            "f:4:19: jobs.a.task.type: `T` cannot be the type of a job; it must match [a-z][a-z0-9_.-]{0,62}",
        ),
        (
            "{task: {type: t, payload: [.nan]}}",
            "f:4:32: jobs.a.task.payload[0]: `.nan` is no number of JSON; quote it if text is meant",
        ),
        (
            "{task: {type: t, payload: 1e999}}",
            "f:4:31: jobs.a.task.payload: `1e999` is no number of JSON; quote it if text is meant",
        ),
        (
            "{task: {type: t, payload: {a: '${ref}'}}}",
            "f:4:35: jobs.a.task.payload.a: substitution by `${…}` is not supported yet",
        ),
    ],
)
def test_a_task_that_makes_no_sense_is_refused_with_its_place(job: str, problem: str) -> None:
    assert explain(f"on: push\njobs:\n  a:\n    {job}\n") == [problem]


def test_a_payload_has_a_limit() -> None:
    (problem,) = explain(f"on: push\njobs:\n  a:\n    task: {{type: t, payload: {'x' * 65536}}}\n")
    assert "is longer than 65536 bytes of JSON" in problem
