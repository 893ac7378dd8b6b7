"""Refusals of the database, told as errors of jobs."""

from collections.abc import Iterator
from contextlib import contextmanager

from shared.db import refusals
from shared.errors import DataRefusedError, RefusedError
from shared.jobs.refusals import InvalidJobError, explain_refusal


@contextmanager
def explain_refusals() -> Iterator[None]:
    """Raise what is refused as EnqueueError; all other errors of psycopg pass as they are."""
    try:
        with refusals():
            yield
    except RefusedError as refusal:
        raise explain_refusal(refusal) from refusal.__cause__
    except DataRefusedError as refusal:
        raise InvalidJobError(f"PostgreSQL cannot store a job: {refusal}") from refusal.__cause__
    except UnicodeEncodeError as error:
        raise InvalidJobError(f"the connection cannot send a job: {error}", "Set client_encoding to utf8.") from error
