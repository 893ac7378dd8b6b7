"""The client of the HTTP API for jobs on their own."""

import math
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self, TypeVar
from uuid import UUID

import anyio
import httpx
import msgspec

from shared.client.errors import ProblemError, UnexpectedAnswerError, explain_refused_jobs
from shared.client.records import GivenCommand, JobDetails, JobPage, ListedJob
from shared.client.send_request import ApiRequest, Sender
from shared.ids import CommandId
from shared.jobs.encode_jobs import encode_jobs
from shared.jobs.enqueued_job import EnqueuedJob
from shared.jobs.new_job import NewJob
from shared.queries.models import JobState

# How long one request waits for a job's end; Howdah allows no more.
_LONG_POLL_SECONDS: Final = 60.0
_EARLY_PAUSE_SECONDS: Final = 0.5
_PAGE_JOBS: Final = 100

_Answer = TypeVar("_Answer")


class _EnqueuedJobs(msgspec.Struct, frozen=True):
    jobs: list[EnqueuedJob]


# In the class, `list` is a method.
_Enqueued = list[EnqueuedJob]


class JobsClient:
    """Enqueues jobs and follows them, over HTTP::

        async with JobsClient("https://howdah.example.org", token) as client:
            enqueued = await client.enqueue(send_invoice.job(Invoice(order_id=7), idempotency_key="order-7"))
            job = await client.wait(enqueued.job_id, within_seconds=30)

    What is safe to send twice is sent again after an answer of 429, 502, 503 or 504, or none: reading, canceling,
    discarding, and enqueueing if every job has an idempotency key. Other requests only if Howdah has certainly not
    acted on them. `Retry-After` is honoured.

    Everything here may raise UnavailableError, UnauthorizedError, ForbiddenError, InvalidRequestError and
    UnexpectedAnswerError.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timeout_seconds: float = 30.0,
        retry_within_seconds: float = 30.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`timeout_seconds` is how long each connecting, writing and reading may take; `transport` is httpx's, for
        certificates or a proxy of one's own. Raises ValueError for a URL or a token that cannot be one.
        """
        self._sender = Sender(
            url,
            token,
            timeout_seconds=timeout_seconds,
            retry_within_seconds=retry_within_seconds,
            transport=transport,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._sender.close()

    async def enqueue(self, job: NewJob) -> EnqueuedJob:
        """Enqueue one job. See `enqueue_many`."""
        [enqueued] = await self.enqueue_many([job])
        return enqueued

    async def enqueue_many(self, jobs: Iterable[NewJob]) -> _Enqueued:
        """Enqueue up to 10,000 jobs, all or none; returns them in their order.

        A job that was enqueued by an earlier try of the same call counts as not `created`. Raises InvalidJobError,
        IdempotencyConflictError, PayloadTooLargeError, whose `place` says which job it is about.
        """
        listed = list(jobs)
        if not listed:
            return []
        keyed = all(job.idempotency_key is not None for job in listed)
        try:
            answer = await self._sender.send(ApiRequest("POST", "/jobs", body=encode_jobs(listed), idempotent=keyed))
        except ProblemError as error:
            raise explain_refused_jobs(error) from error
        return _decode(answer, _EnqueuedJobs).jobs

    async def get(self, job_id: UUID) -> JobDetails:
        """Return a job with everything that was tried. Raises NotFoundError."""
        return _decode(await self._sender.send(ApiRequest("GET", f"/jobs/{job_id}")), JobDetails)

    async def wait(self, job_id: UUID, *, within_seconds: float = math.inf) -> JobDetails:
        """Wait until a job has ended, well or not, and return it.

        Raises TimeoutError if it takes longer, which leaves the job as it is, and NotFoundError.
        """
        deadline = anyio.current_time() + within_seconds
        while True:
            began = anyio.current_time()
            seconds = max(0.0, min(deadline - began, _LONG_POLL_SECONDS))
            request = ApiRequest("GET", f"/jobs/{job_id}", {"wait_seconds": f"{seconds:.3f}"}, wait_seconds=seconds)
            job = _decode(await self._sender.send(request), JobDetails)
            if job.has_ended:
                return job
            now = anyio.current_time()
            if now >= deadline:
                why = f": {job.waits_for}" if job.waits_for else ""
                raise TimeoutError(f"job {job_id} is still {job.state} after {within_seconds:g} s{why}")
            # A process that is about to stop answers early; another is asked, but not in a circle.
            if now - began < seconds / 2:
                await anyio.sleep(min(_EARLY_PAUSE_SECONDS, deadline - now))

    async def cancel(self, job_id: UUID, why: str | None = None) -> CommandId:
        """Ask for a job to be canceled: one that waits ends at once, one that runs as soon as it heeds.

        Raises NotFoundError, and ConflictError for a job that has ended.
        """
        return await self._command("cancel", job_id, why, idempotent=True)

    async def redrive(self, job_id: UUID, why: str | None = None) -> CommandId:
        """Ask for a job that failed, went dead or was canceled to be tried anew, with all its attempts.

        Raises NotFoundError, and ConflictError for a job in another state.
        """
        return await self._command("redrive", job_id, why, idempotent=False)

    async def discard(self, job_id: UUID, why: str | None = None) -> CommandId:
        """Ask for a dead job to be given up: it becomes failed, and leaves the dead letters.

        Raises NotFoundError, and ConflictError for a job in another state.
        """
        return await self._command("discard", job_id, why, idempotent=True)

    async def list(
        self,
        *,
        states: Iterable[JobState] = (),
        job_type: str | None = None,
        queue: str | None = None,
        reason: str | None = None,
        concurrency_key: str | None = None,
        idempotency_key: str | None = None,
        metadata: dict[str, Any] | None = None,
        enqueued_after: datetime | None = None,
        enqueued_before: datetime | None = None,
        finished_after: datetime | None = None,
        finished_before: datetime | None = None,
    ) -> AsyncIterator[ListedJob]:
        """Yield jobs on their own, newest first, page by page; what is None is not asked for.

        `metadata` is contained in the job's. Keys of idempotency are of a type: give both. `…_after` is inclusive,
        `…_before` exclusive.
        """
        given: dict[str, object] = {
            "limit": _PAGE_JOBS,
            "type": job_type,
            "queue": queue,
            "reason": reason,
            "concurrency_key": concurrency_key,
            "idempotency_key": idempotency_key,
            "metadata": None if metadata is None else msgspec.json.encode(metadata).decode(),
            "enqueued_after": _text_of(enqueued_after),
            "enqueued_before": _text_of(enqueued_before),
            "finished_after": _text_of(finished_after),
            "finished_before": _text_of(finished_before),
        }
        parameters = {name: str(value) for name, value in given.items() if value is not None}
        repeated = {"state": [str(state) for state in states]}
        while True:
            page = _decode(await self._sender.send(ApiRequest("GET", "/jobs", {**parameters, **repeated})), JobPage)
            for job in page.jobs:
                yield job
            if page.next is None:
                return
            parameters["cursor"] = page.next

    async def _command(self, verb: str, job_id: UUID, why: str | None, *, idempotent: bool) -> CommandId:
        body = msgspec.json.encode({"why": why})
        request = ApiRequest("POST", f"/jobs/{job_id}/{verb}", body=body, idempotent=idempotent)
        return _decode(await self._sender.send(request), GivenCommand).command_id


def _decode(body: bytes, kind: type[_Answer]) -> _Answer:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise UnexpectedAnswerError(f"an answer that is not Howdah's: {error}. Is the URL right?") from error


def _text_of(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
