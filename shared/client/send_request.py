"""One request to the HTTP API, tried again where that is safe and may help."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

import anyio
import httpx
from msgspec import Struct

from shared.client.errors import UnavailableError, explain_answer
from shared.jobs.retry_policy import RetryPolicy
from shared.outgoing.read_retry_after import read_retry_after
from shared.version import CODE_VERSION

# The last three may come from a proxy, too; of what a request has done by then nothing is known.
_TRY_LATER: Final = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
# Nobody has seen the request.
_NEVER_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_BACKOFF: Final = RetryPolicy(first_seconds=0.5, factor=2, most_seconds=10)

Parameters = Mapping[str, str | list[str]]


class ApiRequest(Struct, frozen=True):
    """A request; the path goes on from `/api/v1`."""

    method: str
    path: str
    parameters: Parameters = {}
    body: bytes = b""
    # Whether sending it twice does what sending it once does.
    idempotent: bool = True
    # How long the answer may be held back on purpose.
    wait_seconds: float = 0.0


class _Failure(Struct, frozen=True):
    """Why a try came to nothing that another may change."""

    message: str
    # Whether Howdah has certainly not acted on the request.
    did_nothing: bool
    error: Exception
    retry_after_seconds: float = 0.0

    def explain(self, request: ApiRequest, tries: int) -> str:
        """Return the message for whoever asked."""
        times = "" if tries == 1 else f" (tried {tries} times)"
        unknown = "" if self.did_nothing or request.method == "GET" else " Whether it took effect is not known."
        return f"{request.method} {request.path}: Howdah is not available{times}: {self.message.rstrip('.')}.{unknown}"


class Sender:
    """Sends requests with one token over connections that are kept."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timeout_seconds: float,
        retry_within_seconds: float,
        transport: httpx.AsyncBaseTransport | None = None,
        pause: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        """`timeout_seconds`: of each connecting, writing and reading. Raises ValueError for a bad URL or token."""
        self._timeout_seconds = timeout_seconds
        self._retry_within_seconds = retry_within_seconds
        self._pause = pause
        headers = {
            "authorization": f"Bearer {_checked_token(token)}",
            "user-agent": f"Howdah/{CODE_VERSION}",
            "content-type": "application/json",
        }
        self._http = httpx.AsyncClient(base_url=_base_url(url), headers=headers, transport=transport)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def send(self, request: ApiRequest) -> bytes:
        """Return the body of an answer of success.

        Raises UnavailableError, ProblemError, UnexpectedAnswerError.
        """
        began, paused, tries = anyio.current_time(), 0.0, 0
        while True:
            tries += 1
            failure = await self._try(request)
            if isinstance(failure, bytes):
                return failure
            seconds = _BACKOFF.delay_seconds(tries) + failure.retry_after_seconds
            spent = max(anyio.current_time() - began, paused)
            if not (request.idempotent or failure.did_nothing) or spent + seconds > self._retry_within_seconds:
                raise UnavailableError(failure.explain(request, tries)) from failure.error
            await self._pause(seconds)
            paused += seconds

    async def _try(self, request: ApiRequest) -> bytes | _Failure:
        timeout = httpx.Timeout(self._timeout_seconds, read=self._timeout_seconds + request.wait_seconds)
        try:
            answer = await self._http.request(
                request.method,
                request.path.removeprefix("/"),
                params=httpx.QueryParams(dict(request.parameters)),
                content=request.body or None,
                timeout=timeout,
            )
        except httpx.RequestError as error:
            told = f"{type(error).__name__}: {error}".removesuffix(": ")
            return _Failure(told, did_nothing=isinstance(error, _NEVER_SENT), error=error)
        if answer.is_success:
            return answer.content
        refusal = explain_answer(answer.status_code, answer.content)
        if answer.status_code not in _TRY_LATER:
            raise refusal
        return _Failure(
            str(refusal),
            did_nothing=answer.status_code == HTTPStatus.TOO_MANY_REQUESTS,
            retry_after_seconds=read_retry_after(answer.headers.get("retry-after", ""), datetime.now(UTC)) or 0.0,
            error=refusal,
        )


def _base_url(url: str) -> str:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL()
    if parsed.scheme not in {"http", "https"} or not parsed.host or parsed.query or parsed.fragment:
        raise ValueError(f"{url!r} is no URL of Howdah: write it as https://howdah.example.org")
    return f"{url.rstrip('/')}/api/v1/"


def _checked_token(token: str) -> str:
    # A token from a file ends in a newline. What else cannot stand in a header is shown to nobody.
    text = token.strip()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("the token is empty, or has characters that no token has")
    return text
