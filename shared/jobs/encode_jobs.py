"""New jobs as JSON: one array for all of a call."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from shared.jobs.new_job import NewJob
from shared.jobs.refusals import InvalidJobError, PayloadTooLargeError

# No answer but an error is to be expected beyond: PostgreSQL's arrays of JSON hold 256 MiB.
_MOST_BYTES: Final = 256 * 1024 * 1024
# An escape that is one: after any number of escaped backslashes.
_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_ENCODING_ERRORS: Final = (TypeError, ValueError, OverflowError, RecursionError)

_encode: Final = msgspec.json.Encoder().encode


def encode_jobs(jobs: Iterable[NewJob]) -> bytes:
    """Return the array that the schema's `enqueue_jobs` and `POST /api/v1/jobs` take.

    Raises InvalidJobError for what JSON or PostgreSQL cannot hold, and PayloadTooLargeError.
    """
    listed = list(jobs)
    try:
        encoded = _encode(listed)
    except _ENCODING_ERRORS as error:
        _raise_unencodable(listed)
        raise InvalidJobError(f"the jobs cannot be encoded as JSON: {error}") from error
    # The first search alone costs nothing, and finds nothing as a rule.
    if b"\\u0000" in encoded and _NUL.search(encoded):
        _raise_with_nul(listed)
    if len(encoded) > _MOST_BYTES:
        raise PayloadTooLargeError(f"the jobs of one call have {len(encoded)} bytes", "Enqueue fewer at a time.")
    return encoded


def _raise_unencodable(jobs: Sequence[NewJob]) -> None:
    for place, job in enumerate(jobs):
        try:
            _encode(job)
        except _ENCODING_ERRORS as error:
            raise InvalidJobError(
                f"job {place}: its {_field_of(job)} cannot be encoded as JSON: {error}",
                "Pass what msgspec turns into JSON: Structs, dataclasses, dicts, lists, text, numbers.",
                place,
            ) from error


def _raise_with_nul(jobs: Sequence[NewJob]) -> None:
    for place, job in enumerate(jobs):
        if _NUL.search(_encode(job)):
            raise InvalidJobError(
                f"job {place}: a text in it holds NUL", "PostgreSQL cannot store that character: leave it out.", place
            )


def _field_of(job: NewJob) -> str:
    for name in job.__struct_fields__:
        try:
            _encode(getattr(job, name))
        except _ENCODING_ERRORS:
            return name
    return "whole"
