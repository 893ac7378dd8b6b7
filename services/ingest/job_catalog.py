"""The types of job that executors have published, with their payload schemas compiled."""

import difflib
import logging
import time
from collections.abc import Mapping
from typing import Any, Final

import jsonschema_rs
import msgspec

from services.ingest.name_field import FieldError
from services.ingest.queries.job_types import ListChangedJobTypesRow, list_changed_job_types
from services.ingest.read_strict_json import write_path
from shared.db import Pool, query

logger = logging.getLogger(__name__)

# What an executor has published counts here after so long, on every replica; what is asked for and unknown, at once.
_REMEMBERED_SECONDS: Final = 1.0
_MOST_ERRORS: Final = 5
_MOST_MESSAGE: Final = 300
_SUGGESTED: Final = 3
_LISTED: Final = 50


class JobType(msgspec.Struct, frozen=True):
    """A type, and what checks its payloads; None if its schema cannot be compiled: then only the executor checks."""

    published: ListChangedJobTypesRow
    validator: jsonschema_rs.Validator | None

    def find_errors(self, payload: Any) -> list[FieldError]:
        """Return what is wrong with a payload, by path within it; nothing if it is valid."""
        if self.validator is None or self.validator.is_valid(payload):
            return []
        found: list[FieldError] = []
        for error in self.validator.iter_errors(payload):
            found.append(FieldError(write_path(tuple(error.instance_path)), _shorten(error.message)))
            if len(found) == _MOST_ERRORS:
                break
        return found


class JobCatalog:
    """Reads what has changed, and compiles that alone."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._types: dict[str, JobType] = {}
        self._read_at: float | None = None
        # Rises with every change, for those who keep something that is made from the catalog.
        self.version = 0

    async def types(self) -> Mapping[str, JobType]:
        """Return all types by name, as of a moment ago. Raises `DatabaseUnavailableError`."""
        if self._read_at is None or time.monotonic() - self._read_at >= _REMEMBERED_SECONDS:
            await self._read()
        return self._types

    async def types_with(self, names: set[str]) -> Mapping[str, JobType]:
        """Return all types by name; those that are named are looked up afresh if they are not known.

        Raises `DatabaseUnavailableError`.
        """
        known = await self.types()
        if not names <= known.keys():
            await self._read()
        return self._types

    def remembered(self) -> Mapping[str, JobType]:
        """Return what was known at the last reading."""
        return self._types

    async def _read(self) -> None:
        asked_at = time.monotonic()
        known = list(self._types.values())
        changed = await query(
            self._pool,
            lambda connection: list_changed_job_types(
                connection,
                known_names=[entry.published.job_type for entry in known],
                known_published_at=[entry.published.published_at for entry in known],
            ),
        )
        if changed:
            compiled = {row.job_type: JobType(row, _compile(row)) for row in changed}
            self._types = dict(sorted({**self._types, **compiled}.items()))
            self.version += 1
        self._read_at = asked_at


def describe_unknown_type(name: str, known: Mapping[str, JobType]) -> str:
    """Return in a sentence that no executor has published the type, and which there are."""
    if not known:
        return f"no executor has published the type {name!r}, nor any other: start an executor that has its handler"
    near = difflib.get_close_matches(name, known, n=_SUGGESTED)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    listed = ", ".join(list(known)[:_LISTED]) + (" …" if len(known) > _LISTED else "")
    return f"no executor has published the type {name!r}: {hint}The types are {listed}"


def _compile(row: ListChangedJobTypesRow) -> jsonschema_rs.Validator | None:
    try:
        # Offline: a schema that refers to another address is not followed there.
        return jsonschema_rs.validator_for(row.payload_schema, validate_formats=True, offline=True)
    except ValueError as error:
        logger.warning(
            "the payload schema of a job type cannot be compiled; only executors check its payloads: %s",
            error,
            extra={"job_type": row.job_type},
        )
        return None


def _shorten(message: str) -> str:
    return message if len(message) <= _MOST_MESSAGE else message[: _MOST_MESSAGE - 1] + "…"
