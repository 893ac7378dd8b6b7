"""The parameter `level`: only lines that are marked at least so."""

from typing import Annotated

from litestar.params import QueryParameter

from services.ingest.problem_details import bad_field
from shared.logs.find_level import Level

LevelParameter = Annotated[
    str | None,
    QueryParameter(
        description="Only lines that are marked at least so: `trace`, `debug`, `info`, `warning`, `error` or `fatal`."
    ),
]


def read_level(name: str | None) -> Level:
    """Return the level of that name. Raises `Problem`."""
    if name is None:
        return Level.UNMARKED
    try:
        return Level[name.upper()]
    except KeyError:
        known = ", ".join(level.name.lower() for level in Level if level)
        raise bad_field("level", f"it is none of {known}") from None
