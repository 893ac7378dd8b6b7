"""A context tells what is so, and nothing that makes no sense leaves through it."""

import math
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from shared.jobs import JobCanceled, JobContext, PermanentError, RetryableError, Snooze
from shared.jobs.job_context import GivenDetails, JobDetails


def test_a_context_tells_the_facts_of_its_job() -> None:
    details = GivenDetails(
        job_id=UUID(int=5), job_type="t", queue="q", epoch=3, attempt=2, max_attempts=4, metadata=b'{"a":1}'
    )
    context = JobContext.for_test(details)
    assert (context.job_id, context.job_type, context.queue) == (UUID(int=5), "t", "q")
    assert (context.epoch, context.attempt, context.max_attempts) == (3, 2, 4)
    assert (context.metadata, context.traceparent) == ({"a": 1}, "")


@pytest.mark.parametrize("raw", [b"", b"null", b"{}"])
def test_metadata_is_always_a_dict(raw: bytes) -> None:
    assert JobContext.for_test(GivenDetails(metadata=raw)).metadata == {}


def test_the_deadline_is_where_the_timeout_ends() -> None:
    before = datetime.now(UTC)
    context = JobContext.for_test(timeout_seconds=100)
    after = datetime.now(UTC)
    slack = timedelta(milliseconds=50)
    assert before + timedelta(seconds=100) - slack <= context.deadline <= after + timedelta(seconds=100) + slack
    assert context.remaining_seconds <= 100


def test_a_canceled_job_says_so_where_it_is_asked() -> None:
    context = JobContext.for_test()
    context.check_canceled()
    context.set_canceled()
    assert context.is_canceled
    with pytest.raises(JobCanceled):
        context.check_canceled()
    assert not issubclass(JobCanceled, Exception)


async def test_progress_is_a_fraction_and_a_short_message() -> None:
    told: list[tuple[float, str]] = []

    def on_progress(details: JobDetails, fraction: float, message: str) -> None:
        told.append((fraction, message))

    context = JobContext.for_test(on_progress=on_progress)
    context.report_progress(0)
    await context.progress(1, "x" * 1000)
    assert told == [(0.0, ""), (1.0, "x" * 500)]
    for wrong in (-0.01, 1.01, math.nan, math.inf):
        with pytest.raises(ValueError, match="progress is a number from 0 to 1"):
            context.report_progress(wrong)


@pytest.mark.parametrize("seconds", [-1, math.inf, math.nan])
def test_nobody_waits_for_ever_or_backwards(seconds: float) -> None:
    with pytest.raises(ValueError, match="a job cannot wait"):
        Snooze(seconds)
    with pytest.raises(ValueError, match="a job cannot wait"):
        RetryableError("later", seconds)


def test_an_errors_reason_is_its_class_unless_it_is_given() -> None:
    class UnknownUserError(PermanentError):
        pass

    assert UnknownUserError("x").reason == "UnknownUserError"
    assert UnknownUserError("x", reason="unknown").reason == "unknown"
    assert Snooze(1).reason == "snoozed"
