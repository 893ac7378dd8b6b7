"""The samples, and the reference, are what the loader says they are."""

import re
from pathlib import Path

import pytest
import yaml

from shared.pipeline.expand import expand
from shared.pipeline.fields import SECTIONS
from shared.pipeline.json_schema import pipeline_schema
from shared.pipeline.load import load_pipeline
from shared.pipeline.states import JobState
from tests.unit.pipeline.check_schema import violates

ROOT = Path(__file__).parents[3]
SAMPLES = {
    "hello": {"hello": JobState.READY},
    "python-app": {"lint": JobState.READY, "test": JobState.BLOCKED, "package": JobState.BLOCKED},
    "fan-out": {
        "build": JobState.READY,
        "unit": JobState.BLOCKED,
        "integration": JobState.BLOCKED,
        "speed": JobState.BLOCKED,
        "report": JobState.BLOCKED,
    },
}


@pytest.mark.parametrize("name", SAMPLES)
def test_each_sample_loads_expands_and_satisfies_the_schema(name: str) -> None:
    source = (ROOT / "samples" / name / ".howdah.yml").read_bytes()
    plan = expand(load_pipeline(source), event="push", branch="main")
    assert {job.key: job.state for job in plan.jobs} == SAMPLES[name]
    assert violates(pipeline_schema(), yaml.load(source, Loader=yaml.BaseLoader)) == []  # noqa: S506 - text only


def test_there_is_no_sample_without_a_test() -> None:
    assert {path.parent.name for path in (ROOT / "samples").glob("*/.howdah.yml")} == set(SAMPLES)


def test_files_that_samples_run_are_there() -> None:
    for path in (ROOT / "samples").glob("*/.howdah.yml"):
        for script in re.findall(r"\bci/[\w.]+", path.read_text()):
            assert (path.parent / script).is_file()


def test_packaging_is_for_branches_of_releases_only() -> None:
    source = (ROOT / "samples" / "python-app" / ".howdah.yml").read_bytes()
    plan = expand(load_pipeline(source), event="push", branch="feature/x")
    assert {job.key: job.state for job in plan.jobs}["package"] is JobState.SKIPPED


def _reference() -> str:
    return (ROOT / "docs" / "pipeline-file.md").read_text()


def test_the_reference_names_every_key_that_is_accepted_or_not_supported_yet() -> None:
    named = set(re.findall(r"`([\w-]+)`", _reference()))
    for section in SECTIONS:
        assert {field.key for field in section.fields} | set(section.later) <= named


def test_the_examples_of_the_reference_load() -> None:
    examples = re.findall(r"```yaml\n(.*?)```", _reference(), re.DOTALL)
    assert examples
    for example in examples:
        load_pipeline(example.encode())
