"""Python names from SQL names, and which ones cannot be."""

import keyword
import re
from typing import Final

# Names of a generated function's own: a parameter must not be called so.
_LOCALS: Final = frozenset({"conn", "cur", "row"})
# A field of this name would hide the type that it, or the field after it, is annotated with.
_TYPES: Final = frozenset({"bool", "bytes", "date", "datetime", "float", "int", "list", "str"})


def to_snake_case(name: str) -> str:
    """`ClaimJobs` → `claim_jobs`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def to_pascal_case(name: str) -> str:
    """`job_state` → `JobState`."""
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[^0-9A-Za-z]+", name) if part)


def find_name_fault(name: str) -> str | None:
    """Say why `name` cannot name a field or a parameter; None if it can."""
    if not name.isidentifier() or name.startswith("_"):
        return "it is no Python name"
    if keyword.iskeyword(name):
        return "it is a Python keyword"
    if name in _LOCALS:
        return "generated functions use it themselves"
    if name in _TYPES:
        return "it hides a Python type"
    return None
