"""What an executor publishes of its handlers: schemas, limits, a summary."""

import inspect
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from shared.jobs.define_handler import Handler
from shared.jobs.retry_policy import RetryPolicy


class HandlerEntry(Struct, frozen=True):
    """One type of job, as others see it. The schemas are JSON Schema 2020-12, and refer to nothing outside."""

    job_type: str
    # The first paragraph of the function's docstring.
    summary: str
    payload_schema: dict[str, Any]
    result_schema: dict[str, Any]
    max_attempts: int
    timeout_seconds: int
    retry: RetryPolicy
    # How many jobs one call takes at most; 1 for a handler of single jobs.
    batch_size: int
    # Whether calls are of sequences, be it of one: then a single call cannot be interrupted by itself.
    takes_batches: bool


def describe_handlers(handlers: Iterable[Handler]) -> list[HandlerEntry]:
    """Return the catalog, sorted by type."""
    entries = [
        HandlerEntry(
            job_type=handler.job_type,
            summary=_summary_of(handler),
            payload_schema=msgspec.json.schema(handler.payload_type),
            result_schema=msgspec.json.schema(handler.result_type),
            max_attempts=handler.max_attempts,
            timeout_seconds=handler.timeout_seconds,
            retry=handler.retry,
            batch_size=handler.batch_size or 1,
            takes_batches=handler.batch_size is not None,
        )
        for handler in handlers
    ]
    return sorted(entries, key=lambda entry: entry.job_type)


def _summary_of(handler: Handler) -> str:
    paragraph = (inspect.getdoc(handler.function) or "").partition("\n\n")[0]
    return " ".join(paragraph.split())
