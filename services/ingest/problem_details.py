"""Errors as problem documents (RFC 9457): what was wrong, where, what to do; never a stack, never SQL."""

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi.datastructures import ResponseSpec
from litestar.plugins.problem_details import (
    ProblemDetailsConfig,
    ProblemDetailsException,
    ProblemDetailsPlugin,
)
from litestar.response import Template
from litestar.types import Scope

from services.ingest.name_field import FieldError, describe_parameter
from shared.errors import DatabaseUnavailableError, DataRefusedError

logger = logging.getLogger(__name__)

_TYPE_PREFIX: Final = "urn:howdah:problem:"
_RETRY_SECONDS: Final = 5
# Paths whose callers are programs, whatever they say they accept.
_FOR_PROGRAMS: Final = ("/api/", "/webhooks/")


class ProblemDocument(msgspec.Struct, frozen=True):
    """The body of every answer of 400 and above."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[FieldError] = []


class Problem(ProblemDetailsException):
    """An answer of 400 or above. `slug` names its kind for programs; `detail` tells a person what to do."""

    def __init__(
        self,
        status: int,
        slug: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail=detail, status_code=status, headers=headers)
        self.slug = slug
        self.errors = list(errors)

    def to_response(self, request: Request[Any, Any, Any]) -> Response[Any]:
        """Return the problem document; to somebody who looks with a browser, the same as a page."""
        document = ProblemDocument(
            type=_TYPE_PREFIX + self.slug,
            title=HTTPStatus(self.status_code).phrase,
            status=self.status_code,
            detail=self.detail,
            instance=request.scope["path"],
            errors=self.errors,
        )
        if _is_person(request):
            return Template(
                "problem.html",
                context={"problem": document, "actor": None},
                status_code=self.status_code,
                headers=self.headers,
            )
        return Response(
            document,
            status_code=self.status_code,
            headers=self.headers,
            media_type="application/problem+json",
        )


def not_found(what: str) -> Problem:
    """Return the answer for something that is not there."""
    return Problem(404, "not-found", f"There is no {what}.")


def bad_field(field: str, message: str) -> Problem:
    """Return the answer for one field that holds what it may not."""
    return Problem(422, "bad-field", f"The field `{field}` is wrong: {message}.", errors=[FieldError(field, message)])


def problem_details_plugin() -> ProblemDetailsPlugin:
    """Return the plugin that turns every exception of a request into a problem document."""
    return ProblemDetailsPlugin(
        ProblemDetailsConfig(
            exception_to_problem_detail_map={
                HTTPException: _from_http,
                DatabaseUnavailableError: _from_outage,
                DataRefusedError: _from_refusal,
                Exception: _from_surprise,
            }
        )
    )


def _from_http(error: HTTPException) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, ValidationException):
        errors = [describe_parameter(entry) for entry in error.extra or []]
        told = "; ".join(f"`{entry.field}`: {entry.message}" for entry in errors)
        return Problem(422, "bad-request", f"The request is not valid. {told}", errors=errors)
    status = HTTPStatus(error.status_code)
    slug = status.phrase.lower().replace(" ", "-")
    detail = _DETAILS.get(status, error.detail)
    headers = dict(error.headers) if error.headers else None
    return Problem(status.value, slug, detail, headers=headers)


_DETAILS: Final = {
    HTTPStatus.NOT_FOUND: "There is nothing at this address.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address does not know that method.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is larger than this address takes.",
}


def _from_outage(_: DatabaseUnavailableError) -> Problem:
    return Problem(
        503,
        "database-unavailable",
        "The database does not answer. Nothing is wrong with the request: send it again later.",
        headers={"Retry-After": str(_RETRY_SECONDS)},
    )


def _from_refusal(_: DataRefusedError) -> Problem:
    return Problem(
        422, "bad-value", "A value cannot be stored: its text holds NUL, or a number or a time is beyond its range."
    )


def _from_surprise(_: Exception) -> Problem:
    return Problem(500, "internal-error", "Something went wrong in Howdah. Its log says what.")


async def log_surprise(error: Exception, scope: Scope) -> None:
    """Log, once, what no handler expected."""
    context = {"method": scope.get("method"), "path": scope.get("path")}
    if isinstance(error, DatabaseUnavailableError):
        logger.warning("the database does not answer: %s", error, extra=context)
    elif not isinstance(error, HTTPException | DataRefusedError):
        logger.error("a request failed", exc_info=error, extra=context)


def _is_person(request: Request[Any, Any, Any]) -> bool:
    if request.scope["path"].startswith(_FOR_PROGRAMS):
        return False
    return "text/html" in request.headers.get("accept", "")


def problem_responses(*statuses: int) -> dict[int, ResponseSpec]:
    """Return what the OpenAPI document says about errors."""
    return {
        status: ResponseSpec(
            ProblemDocument,
            description=HTTPStatus(status).phrase,
            media_type="application/problem+json",
            generate_examples=False,
        )
        for status in statuses
    }
