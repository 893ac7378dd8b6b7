"""As much of a JSON Schema validator as the pipeline's schema needs; an unknown keyword is an error."""

import re
from collections.abc import Callable, Iterator, Sized
from typing import Any

Schema = dict[str, Any]

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def violates(schema: Schema, value: Any) -> list[str]:
    """Return what the value violates, one line each."""
    return list(_find(schema, value, "$"))


def _find(schema: Schema, value: Any, at: str) -> Iterator[str]:
    for keyword, argument in schema.items():
        if keyword in {"$schema", "title", "description"}:
            continue
        if keyword == "properties":
            children = ((argument[key], child, key) for key, child in _entries(value) if key in argument)
        elif keyword == "additionalProperties":
            known = schema.get("properties", {})
            children = ((argument, child, key) for key, child in _entries(value) if key not in known)
        elif keyword == "propertyNames":
            children = ((argument, key, key) for key, _ in _entries(value))
        elif keyword == "items":
            children = ((argument, child, str(i)) for i, child in enumerate(value if isinstance(value, list) else []))
        else:
            if not _HOLDS[keyword](argument, value):
                yield f"{at}: {keyword}"
            continue
        for child_schema, child, key in children:
            if child_schema is False:
                yield f"{at}: no {key}"
            else:
                yield from _find(child_schema, child, f"{at}.{key}")


def _entries(value: Any) -> list[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, dict) else []


def _is_type(names: str | list[str], value: Any) -> bool:
    allowed = [names] if isinstance(names, str) else names
    if isinstance(value, bool):
        return "boolean" in allowed
    return any(isinstance(value, _TYPES[name]) for name in allowed)


def _sized(kind: type[Sized], holds: Callable[[int, int], bool]) -> Callable[[int, Any], bool]:
    return lambda limit, value: not isinstance(value, kind) or holds(len(value), limit)


_HOLDS: dict[str, Callable[[Any, Any], bool]] = {
    "type": _is_type,
    "required": lambda keys, value: not isinstance(value, dict) or set(keys) <= set(value),
    "enum": lambda values, value: value in values,
    "const": lambda constant, value: value == constant,
    "pattern": lambda pattern, value: not isinstance(value, str) or bool(re.search(pattern, value)),
    "not": lambda schema, value: bool(violates(schema, value)),
    "anyOf": lambda schemas, value: any(not violates(schema, value) for schema in schemas),
    "oneOf": lambda schemas, value: sum(not violates(schema, value) for schema in schemas) == 1,
    "dependentSchemas": lambda schemas, value: all(
        not violates(schema, value) for key, schema in schemas.items() if isinstance(value, dict) and key in value
    ),
    "uniqueItems": lambda _, value: not isinstance(value, list) or len(set(map(repr, value))) == len(value),
    "minItems": _sized(list, lambda size, limit: size >= limit),
    "maxItems": _sized(list, lambda size, limit: size <= limit),
    "minProperties": _sized(dict, lambda size, limit: size >= limit),
    "maxProperties": _sized(dict, lambda size, limit: size <= limit),
    "minLength": _sized(str, lambda size, limit: size >= limit),
    "maxLength": _sized(str, lambda size, limit: size <= limit),
}
