"""The JSON Schema says what the loader says."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.pipeline.fields import JOB, PIPELINE, SECTIONS
from shared.pipeline.json_schema import pipeline_schema
from shared.pipeline.kinds import Section
from shared.pipeline.load import load_pipeline
from shared.pipeline.problem import PipelineFileError
from tests.unit.pipeline.check_schema import violates
from tests.unit.pipeline.explain import write_file
from tests.unit.pipeline.generate_files import FILES, File

SCHEMA = pipeline_schema()


def _is_loaded(file: File) -> bool:
    try:
        load_pipeline(write_file(file))
    except PipelineFileError:
        return False
    return True


@settings(deadline=None, max_examples=60)
@given(FILES)
def test_loader_and_schema_accept_every_valid_file(file: File) -> None:
    load_pipeline(write_file(file))
    assert violates(SCHEMA, file) == []


def _mappings(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for child in value.values():
            yield from _mappings(child)
    elif isinstance(value, list):
        for child in value:
            yield from _mappings(child)


@settings(deadline=None, max_examples=100)
@given(FILES, st.data())
def test_loader_and_schema_agree_on_files_with_one_change(file: File, data: st.DataObject) -> None:
    changed = json.loads(json.dumps(file))
    mapping = data.draw(st.sampled_from(list(_mappings(changed))))
    if mapping and data.draw(st.booleans()):
        del mapping[data.draw(st.sampled_from(sorted(mapping)))]
    else:
        keys = [
            "on",
            "run",
            "steps",
            "needs",
            "matrix",
            "image",
            "plan",
            "HOWDAH_X",
            "A-B",
            "event",
            "timeout",
        ]
        values = ["x", "push", [], {}, None, ["push", "push"], {"run": "x"}, "90", [{"run": "x"}], "1h"]
        mapping[data.draw(st.sampled_from(keys))] = data.draw(st.sampled_from(values))
    if violates(SCHEMA, changed):
        assert not _is_loaded(changed)
    elif "needs" not in str(changed):  # which jobs there are is the loader's to know
        assert _is_loaded(changed)


def _list_properties() -> list[set[str]]:
    return [set(schema["properties"]) for schema in _mappings(SCHEMA) if "properties" in schema]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.title)
def test_every_section_is_in_the_schema_with_just_its_keys(section: Section) -> None:
    assert {field.key for field in section.fields} in _list_properties()


@pytest.mark.parametrize("key", [*PIPELINE.later, *JOB.later])
def test_keys_that_are_not_supported_yet_are_not_in_the_schema(key: str) -> None:
    assert violates(SCHEMA, {"on": "push", key: {}, "jobs": {"a": {"run": "x", key: {}}}})


def test_text_that_looks_like_numbers_satisfies_the_schema() -> None:
    assert violates(SCHEMA, {"on": "push", "name": 3.1, "env": {"A": 1, "B": True}, "jobs": {"a": {"run": "x"}}}) == []


def test_the_schema_is_json_and_names_its_draft() -> None:
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
