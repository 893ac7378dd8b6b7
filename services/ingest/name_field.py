"""Which field of a request is wrong, and how: msgspec's and Litestar's words, made into one form."""

import re
from typing import Any, Final

import msgspec

_PATH: Final = re.compile(r" - at `\$\.?(.*?)`$")
_NAMED_FIELD: Final = re.compile(r"Object (missing required|contains unknown) field `(.+)`")
# Litestar tells the name of a handler's parameter, which is not always what it is called in the address.
_PARAMETERS: Final = {
    "run_state": "state",
    "job_state": "state",
    "job_type": "type",
    "next_page": "next",
    "first_line": "from",
    "end_line": "to",
}


class FieldError(msgspec.Struct, frozen=True):
    """What is wrong with one field of the request."""

    field: str
    message: str


def describe_validation(error: msgspec.ValidationError) -> FieldError:
    """Return which field of a document is wrong, and how, in msgspec's words."""
    text = str(error)
    path = _PATH.search(text)
    return _name_field(path.group(1) if path else "", text[: path.start()] if path else text)


def describe_parameter(entry: Any) -> FieldError:
    """Return which parameter or field is wrong, and how, of an entry in Litestar's `ValidationException.extra`."""
    message = str(entry.get("message", "is not valid"))
    if message == "'data'":  # what Litestar says of an empty body
        return FieldError("body", "Expected a JSON object, got nothing")
    key = str(entry.get("key", "")).removeprefix("data").removeprefix(".")
    return _name_field(_PARAMETERS.get(key, key), message)


def _name_field(path: str, message: str) -> FieldError:
    """Return the error of a field; of one that is missing or unknown, msgspec names only what it should be in."""
    named = _NAMED_FIELD.fullmatch(message)
    if named is None:
        return FieldError(path or "body", message)
    fault = "it is missing" if named[1].startswith("missing") else "there is no such field"
    return FieldError(f"{path}.{named[2]}" if path else named[2], fault)
