"""The JSON Schema of the pipeline file, for editors: made from the tables that the loader reads by."""

from typing import Any

from shared.pipeline.fields import PIPELINE
from shared.pipeline.kinds import (
    DURATION_PATTERN,
    BranchPattern,
    Choice,
    Duration,
    Events,
    JobReference,
    JobType,
    JsonValue,
    KeyRule,
    Kind,
    ListOf,
    MapOf,
    OneOrMany,
    Scalar,
    Section,
    Text,
)
from shared.pipeline.limits import JOB_KEY, JOB_TYPE

Schema = dict[str, Any]

# To an editor's YAML reader `3.10` is a number and `yes` may be a boolean; to the loader they are text.
_SCALAR_TYPES = ["string", "number", "boolean"]


def pipeline_schema() -> Schema:
    """Return the schema, JSON Schema draft 2020-12.

    It accepts whatever the loader accepts. Some rules are the loader's alone: needs that exist and form no
    cycle, durations within limits, sizes in bytes.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Howdah pipeline file",
        **_describe_section(PIPELINE),
    }


def _describe(kind: Kind) -> Schema:
    match kind:
        case OneOrMany():
            one = _describe(kind.element)
            return {"anyOf": [one, {**_describe_list(kind.element, kind.max_elements), "uniqueItems": True}]}
        case ListOf():
            return _describe_list(kind.element, kind.max_elements)
        case MapOf():
            return _describe_map(kind)
        case Section():
            return _describe_section(kind)
        case Events():
            return {"anyOf": [_describe(OneOrMany(kind.name, len(kind.name.values))), _describe(kind.section)]}
        case _:
            return {} if isinstance(kind, JsonValue) else _describe_scalar(kind)


def _describe_scalar(kind: Scalar) -> Schema:
    match kind:
        case Text(may_be_empty=may_be_empty):
            return {"type": _SCALAR_TYPES} if may_be_empty else {"type": _SCALAR_TYPES, "pattern": r"\S"}
        case Duration():
            return {"type": "string", "pattern": f"^(?=.){DURATION_PATTERN}$"}
        case Choice():
            return {"enum": list(kind.values)}
        case BranchPattern():
            return {"type": _SCALAR_TYPES, "minLength": 1, "maxLength": kind.max_characters}
        case JobReference():
            return {"type": _SCALAR_TYPES, "pattern": f"^{JOB_KEY}$"}
        case JobType():
            return {"type": _SCALAR_TYPES, "pattern": f"^{JOB_TYPE}$"}


def _describe_list(element: Kind, most: int) -> Schema:
    return {"type": "array", "items": _describe(element), "minItems": 1, "maxItems": most}


def _describe_map(kind: MapOf) -> Schema:
    return {
        "type": ["object", "null"] if kind.may_be_empty else "object",
        "propertyNames": _describe_names(kind.key),
        "additionalProperties": _describe(kind.value),
        "minProperties": int(not kind.may_be_empty),
        "maxProperties": kind.max_entries,
    }


def _describe_names(rule: KeyRule) -> Schema:
    refused: list[Schema] = [{"const": name} for name in rule.reserved]
    if rule.reserved_prefix:
        refused.append({"pattern": f"^{rule.reserved_prefix}"})
    return {"pattern": f"^{rule.pattern}$", "not": {"anyOf": refused}}


def _describe_section(section: Section) -> Schema:
    schema: Schema = {
        "type": ["object", "null"] if section.may_be_empty else "object",
        "properties": {
            field.key: {"description": field.description, **_describe(field.kind)} for field in section.fields
        },
        "required": [field.key for field in section.fields if field.required],
        "additionalProperties": False,
        "minProperties": int(not section.may_be_empty),
    }
    if section.exactly_one:
        schema["oneOf"] = [{"required": [key]} for key in section.exactly_one]
    if section.only_with:
        schema["dependentSchemas"] = {
            key: {"anyOf": [{"required": [other]} for other in others]} for key, others in section.only_with
        }
    return schema
