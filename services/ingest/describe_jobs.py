"""What the OpenAPI document says of enqueueing: one schema for each type that executors have published. Pure."""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from services.ingest.job_catalog import JobType
from services.ingest.read_new_jobs import MOST_JOBS, NewJob
from services.ingest.read_schedule import NewSchedule, ScheduleChanges

_COMPONENTS: Final = "#/components/schemas/"
# What a component may be called (OpenAPI 3.1, Components Object).
_UNFIT: Final = re.compile(r"[^A-Za-z0-9._-]")


def describe_jobs(document: dict[str, Any], job_types: Mapping[str, JobType]) -> dict[str, Any]:
    """Return the document with the bodies that are read as they come, and the payloads of all types as components."""
    orders = (NewJob, NewSchedule, ScheduleChanges)
    _, found = msgspec.json.schema_components(orders, ref_template=f"{_COMPONENTS}{{name}}")
    schemas: dict[str, Any] = dict(found)
    for name, job_type in job_types.items():
        schemas |= _describe_type(name, job_type)
    schemas["EnqueuedOrder"] = _any_job(list(job_types))
    one = {"$ref": f"{_COMPONENTS}EnqueuedOrder"}
    many = {"type": "array", "items": one, "maxItems": MOST_JOBS}
    bodies = {
        ("/api/v1/jobs", "post"): {"anyOf": [one, many]},
        ("/api/v1/schedules", "post"): {"$ref": f"{_COMPONENTS}NewSchedule"},
        ("/api/v1/schedules/{schedule}", "patch"): {"$ref": f"{_COMPONENTS}ScheduleChanges"},
    }
    paths = dict(document["paths"])
    for (path, method), schema in bodies.items():
        body = {"required": True, "content": {"application/json": {"schema": schema}}}
        paths[path] = {**paths[path], method: {**paths[path][method], "requestBody": body}}
    components = document["components"]
    return {
        **document,
        "paths": paths,
        "components": {**components, "schemas": {**components["schemas"], **schemas}},
    }


def _any_job(names: list[str]) -> dict[str, Any]:
    if not names:
        return {"$ref": f"{_COMPONENTS}NewJob", "description": "No executor has published a type yet."}
    return {
        "oneOf": [{"$ref": _COMPONENTS + _job(name)} for name in names],
        "discriminator": {"propertyName": "type", "mapping": {name: _COMPONENTS + _job(name) for name in names}},
    }


def _describe_type(name: str, job_type: JobType) -> dict[str, Any]:
    """Return the components of one type: its job, its payload, and what that refers to."""
    published = job_type.published
    schema = published.payload_schema
    prefix = _payload(name)
    described: dict[str, Any] = {}
    if isinstance(schema, dict):
        definitions = schema.get("$defs", {})
        for inner, definition in definitions.items():
            described[f"{prefix}.{_UNFIT.sub('_', inner)}"] = _moved(definition, prefix)
        described[prefix] = _moved({key: value for key, value in schema.items() if key != "$defs"}, prefix)
    else:
        described[prefix] = schema
    required = ["type"] if not job_type.find_errors(None) else ["type", "payload"]
    described[_job(name)] = {
        "title": name,
        "description": published.description,
        "allOf": [
            {"$ref": f"{_COMPONENTS}NewJob"},
            {
                "type": "object",
                "properties": {"type": {"const": name}, "payload": {"$ref": _COMPONENTS + prefix}},
                "required": required,
            },
        ],
    }
    return described


def _moved(schema: Any, prefix: str) -> Any:
    """Return a schema whose references lead to the document's components instead of its own definitions."""
    if isinstance(schema, list):
        return [_moved(element, prefix) for element in schema]
    if not isinstance(schema, dict):
        return schema
    moved = {key: _moved(value, prefix) for key, value in schema.items()}
    reference = moved.get("$ref")
    if isinstance(reference, str):
        moved["$ref"] = _lead(reference, prefix)
    discriminator = moved.get("discriminator")
    if isinstance(discriminator, dict) and isinstance(discriminator.get("mapping"), dict):
        mapping = {key: _lead(str(to), prefix) for key, to in discriminator["mapping"].items()}
        moved["discriminator"] = {**discriminator, "mapping": mapping}
    return moved


def _lead(reference: str, prefix: str) -> str:
    if reference == "#":
        return _COMPONENTS + prefix
    inner = reference.removeprefix("#/$defs/")
    return reference if inner == reference else f"{_COMPONENTS}{prefix}.{_UNFIT.sub('_', inner)}"


def _payload(name: str) -> str:
    return f"payload.{name}"


def _job(name: str) -> str:
    return f"job.{name}"
