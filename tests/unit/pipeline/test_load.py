"""What the loader accepts, and what it takes it for."""

import msgspec
import pytest

from shared.pipeline.definition import Defaults, Job, Pipeline, Push, Step, Triggers, When
from tests.unit.pipeline.explain import JOBS, load


def test_every_supported_key_is_read() -> None:
    pipeline = load("""
name: app
on:
  push:
    branches: [main, "release/**"]
env: {LEVEL: info}
defaults: {timeout: 20m}
jobs:
  lint: {run: make lint, when: {event: [push, manual]}}
  test:
    needs: lint
    env: {A: "1"}
    timeout: 1h30m
    when: {branch: main}
    steps:
      - run: make
      - {name: check, run: make check, env: {B: "2"}}
  pack: {needs: [lint, test], run: make pack}
""")
    assert pipeline == Pipeline(
        name="app",
        on=Triggers(push=Push(branches=("main", "release/**"))),
        env={"LEVEL": "info"},
        defaults=Defaults(timeout_seconds=1200),
        jobs=(
            Job(key="lint", steps=(Step(run="make lint"),), when=When(events=("push", "manual"))),
            Job(
                key="test",
                needs=("lint",),
                env={"A": "1"},
                timeout_seconds=5400,
                when=When(branches=("main",)),
                steps=(Step(run="make"), Step(name="check", run="make check", env={"B": "2"})),
            ),
            Job(key="pack", needs=("lint", "test"), steps=(Step(run="make pack"),)),
        ),
    )


@pytest.mark.parametrize(
    "on", ["push", "[push]", "{push: {}}", "{push: }", '"push"', "\n  push:", "\n  push: ~", "\n- push"]
)
def test_every_form_of_a_plain_push_means_the_same(on: str) -> None:
    assert load(f"on: {on}\n{JOBS}").on == Triggers(push=Push())


@pytest.mark.parametrize(
    "written",
    [
        "3.10",
        "yes",
        "off",
        "on",
        "010",
        "1e3",
        "0x1F",
        "2026-11-23",
        "1_000",
        "12:30:45",
        "true",
        ".inf",
        "=",
    ],
)
def test_text_is_what_was_written_whatever_type_it_looks_like(written: str) -> None:
    pipeline = load(f"on: push\nname: {written}\nenv: {{V: {written}}}\n{JOBS}")
    assert (pipeline.name, pipeline.env) == (written, {"V": written})


def test_nothing_is_substituted_in_scripts_and_variables() -> None:
    pipeline = load("on: push\nenv: {A: '${B} $(C)'}\njobs: {a: {run: 'echo ${A} $A ${{ x }}'}}\n")
    assert pipeline.env == {"A": "${B} $(C)"}
    assert pipeline.jobs[0].steps[0].run == "echo ${A} $A ${{ x }}"


def test_a_script_keeps_its_lines() -> None:
    pipeline = load("on: push\njobs:\n  a:\n    run: |\n      one\n        two # no comment\n\n      three\n")
    assert pipeline.jobs[0].steps[0].run == "one\n  two # no comment\n\nthree\n"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1),
        ("90s", 90),
        ("20m", 1200),
        ("24h", 86400),
        ("1h30m", 5400),
        ("1h1m1s", 3661),
        ("0h05m", 300),
    ],
)
def test_durations_are_seconds(text: str, seconds: int) -> None:
    assert load(f"on: push\ndefaults: {{timeout: {text}}}\n{JOBS}").defaults.timeout_seconds == seconds


def test_variables_may_be_empty_text_and_sections_may_be_empty() -> None:
    pipeline = load(f"on: push\nenv: {{A: ''}}\ndefaults:\n{JOBS}")
    assert pipeline.env == {"A": ""}
    assert load(f"on: push\nenv:\n{JOBS}").env == {}


def test_an_alias_stands_for_the_value_that_its_anchor_names() -> None:
    pipeline = load("on: push\njobs:\n  a: {run: x, env: &shared {A: '1'}}\n  b: {run: y, env: *shared}\n")
    assert [job.env for job in pipeline.jobs] == [{"A": "1"}, {"A": "1"}]


def test_line_ends_of_any_system_and_a_byte_order_mark_are_read() -> None:
    text = f"on: push\n{JOBS}"
    assert load("\ufeff" + text.replace("\n", "\r\n")) == load(text) == load(f"---\n{text}...\n# end\n")


def test_jobs_keep_the_order_of_the_file_through_storage() -> None:
    keys = ["z", "a", "mm", "b"]
    pipeline = load("on: push\njobs:\n" + "".join(f"  {key}: {{run: x}}\n" for key in keys))
    stored = msgspec.json.decode(msgspec.json.encode(pipeline), type=Pipeline)
    assert stored == pipeline
    assert [job.key for job in stored.jobs] == keys


def test_a_definition_from_a_newer_version_is_not_read_in_part() -> None:
    stored = msgspec.json.encode(load(f"on: push\n{JOBS}")).replace(b'"key":"a"', b'"key":"a","approve":{}')
    with pytest.raises(msgspec.ValidationError, match="approve"):
        msgspec.json.decode(stored, type=Pipeline)
