"""The handler `http_request`: one request to an address that is checked first."""

from typing import Annotated, Any, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from shared.jobs import JobContext, handler

_MOST_SECONDS: Final = 300

Status = Annotated[int, Meta(ge=200, le=599)]


class HttpRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What to send, and what to expect."""

    url: Annotated[str, Meta(min_length=1, max_length=8192)]
    # Without it: POST with a body, else GET.
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] | None = None
    headers: Annotated[dict[str, str], Meta(max_length=64)] = {}
    # At most one of the two.
    body: str | UnsetType = UNSET
    json: Any | UnsetType = UNSET
    # The statuses that are a success; without any, those from 200 to 299.
    expect: list[Status] = []
    # For all of it: looking the name up, connecting, sending, and reading the answer.
    timeout_seconds: Annotated[float, Meta(gt=0, le=_MOST_SECONDS)] = 30.0

    def __post_init__(self) -> None:
        if self.body is not UNSET and self.json is not UNSET:
            raise ValueError("give body or json, not both")

    def is_success(self, status: int) -> bool:
        """Return whether the answer is what was asked for."""
        return status in self.expect if self.expect else 200 <= status <= 299


class HttpResponse(Struct, frozen=True):
    """What was answered."""

    status: int
    # Names in lower case; what came several times is joined with commas, `set-cookie` with line breaks.
    headers: dict[str, str]
    # As it is where it is text, else as base64; its beginning when it is truncated.
    body: str
    encoding: Literal["text", "base64"]
    truncated: bool


@handler("http_request", timeout=_MOST_SECONDS + 30)
async def http_request(payload: HttpRequest, context: JobContext) -> HttpResponse:
    """Send one HTTP request, and return the answer. Private addresses are refused unless an operator allows them."""
    from shared.jobs.builtin.perform_request import perform_request  # noqa: PLC0415 - takes long to import

    return await perform_request(payload, context)
