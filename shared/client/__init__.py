"""What a program imports that enqueues jobs, and follows them, over HTTP."""

from shared.client.errors import (
    ClientError,
    ConflictError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    ProblemError,
    UnauthorizedError,
    UnavailableError,
    UnexpectedAnswerError,
)
from shared.client.jobs_client import JobsClient
from shared.client.records import Attempt, JobDetails, ListedJob, Progress
from shared.jobs import EnqueueError, IdempotencyConflictError, InvalidJobError, NewJob, PayloadTooLargeError
from shared.jobs.enqueued_job import EnqueuedJob
from shared.queries.models import AttemptOutcome, JobState

__all__ = [
    "Attempt",
    "AttemptOutcome",
    "ClientError",
    "ConflictError",
    "EnqueueError",
    "EnqueuedJob",
    "ForbiddenError",
    "IdempotencyConflictError",
    "InvalidJobError",
    "InvalidRequestError",
    "JobDetails",
    "JobState",
    "JobsClient",
    "ListedJob",
    "NewJob",
    "NotFoundError",
    "PayloadTooLargeError",
    "ProblemError",
    "Progress",
    "UnauthorizedError",
    "UnavailableError",
    "UnexpectedAnswerError",
]
