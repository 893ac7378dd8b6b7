"""What the client of the HTTP API raises, besides the errors of enqueueing."""

import re
from http import HTTPStatus
from typing import Final

import msgspec

from shared.errors import HowdahError
from shared.jobs.refusals import EnqueueError, IdempotencyConflictError, InvalidJobError, PayloadTooLargeError

_TYPE_PREFIX: Final = "urn:howdah:problem:"
_PLACE: Final = re.compile(r"\[([0-9]+)\]")
_MOST_SHOWN: Final = 200


class ClientError(HowdahError):
    """Root of what a JobsClient raises; an EnqueueError is raised for a job that was refused."""


class UnavailableError(ClientError):
    """Howdah did not answer, or cannot now: try again later. Whether the request took effect may be unknown."""


class UnexpectedAnswerError(ClientError):
    """What answered does not speak as Howdah does: a wrong address, or a proxy in between."""


class FieldError(msgspec.Struct, frozen=True):
    """What is wrong with one field of a request."""

    field: str
    message: str


class ProblemDocument(msgspec.Struct, frozen=True):
    """An answer of 400 and above (RFC 9457)."""

    type: str
    status: int
    detail: str
    errors: list[FieldError] = []

    @property
    def slug(self) -> str:
        """The kind of problem, for programs."""
        return self.type.removeprefix(_TYPE_PREFIX)


class ProblemError(ClientError):
    """Howdah refused the request; the message says what is wrong, where, and what to do."""

    def __init__(self, problem: ProblemDocument) -> None:
        super().__init__(problem.detail)
        self.problem = problem


class InvalidRequestError(ProblemError):
    """A field or parameter is wrong, or too large; `problem.errors` names it."""


class UnauthorizedError(ProblemError):
    """The token is none that counts."""


class ForbiddenError(ProblemError):
    """The token's role may not do that."""


class NotFoundError(ProblemError):
    """There is no such job."""


class ConflictError(ProblemError):
    """The job is not in a state for that."""


_BY_STATUS: Final[dict[int, type[ProblemError]]] = {
    HTTPStatus.BAD_REQUEST: InvalidRequestError,
    HTTPStatus.UNAUTHORIZED: UnauthorizedError,
    HTTPStatus.FORBIDDEN: ForbiddenError,
    HTTPStatus.NOT_FOUND: NotFoundError,
    HTTPStatus.CONFLICT: ConflictError,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: InvalidRequestError,
    HTTPStatus.UNPROCESSABLE_ENTITY: InvalidRequestError,
}
_REFUSED_JOBS: Final[dict[int, type[EnqueueError]]] = {
    HTTPStatus.CONFLICT: IdempotencyConflictError,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: PayloadTooLargeError,
    HTTPStatus.UNPROCESSABLE_ENTITY: InvalidJobError,
}


def explain_answer(status: int, body: bytes) -> ClientError:
    """Return the error that an answer without success is."""
    try:
        problem = msgspec.json.decode(body, type=ProblemDocument)
    except msgspec.DecodeError:
        shown = body[:_MOST_SHOWN].decode(errors="replace")
        return UnexpectedAnswerError(f"an answer of {status} that is not Howdah's: {shown!r}. Is the URL right?")
    return _BY_STATUS.get(status, ProblemError)(problem)


def explain_refused_jobs(error: ProblemError) -> ClientError | EnqueueError:
    """Return the error that a refusal of `POST /jobs` is: if a job is to blame, the one that SQL would raise, too."""
    problem = error.problem
    kind = _REFUSED_JOBS.get(problem.status)
    if kind is None:
        return error
    place = _PLACE.search(problem.errors[0].field if problem.errors else problem.detail)
    return kind(problem.detail, place=None if place is None else int(place[1]))
