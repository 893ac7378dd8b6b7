"""A request is sent again when that is safe and may help, as often and as late as it should be; else never."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import anyio
import httpx
import msgspec
import pytest
from anyio.abc import ByteStream

from shared.client import (
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    ProblemError,
    UnauthorizedError,
    UnavailableError,
    UnexpectedAnswerError,
)
from shared.client.send_request import ApiRequest, Sender
from tests.service.notifier.target import Answer, Received, Target, never, respond, run_target, say

READ: Final = ApiRequest("GET", "/jobs")
WRITE: Final = ApiRequest("POST", "/jobs", body=b"[]", idempotent=False)
KEYED: Final = ApiRequest("POST", "/jobs", body=b"[1]", idempotent=True)
LATER: Final = {"Retry-After": "7"}
FINE: Final = respond(200, body=b"fine")


def problem(status: int, slug: str = "some-slug", headers: dict[str, str] | None = None) -> Answer:
    document = {
        "type": f"urn:howdah:problem:{slug}",
        "title": "A title",
        "status": status,
        "detail": "What to do.",
        "instance": "/api/v1/jobs",
        "errors": [{"field": "f", "message": "m"}],
    }
    return respond(status, headers, msgspec.json.encode(document))


async def hang_up(_received: Received, _stream: ByteStream) -> None:
    """Answer nothing, and close the connection."""


class Sending:
    """A sender whose pauses are noted down, and the target that it sends to."""

    def __init__(self, target: Target, **settings: Any) -> None:
        self.target = target
        self.pauses: list[float] = []
        given = {"timeout_seconds": 30.0, "retry_within_seconds": 30.0, **settings}
        self.sender = Sender(target.url(""), "hwd_token", pause=self._pause, **given)

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def send(self, request: ApiRequest = READ) -> bytes:
        return await self.sender.send(request)


@asynccontextmanager
async def sending(*answers: Answer, **settings: Any) -> AsyncIterator[Sending]:
    """Answer the requests in turn; after the last, again like that."""
    left = list(answers)

    async def answer(received: Received, stream: ByteStream) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(received, stream)

    async with run_target(answer) as target:
        opened = Sending(target, **settings)
        try:
            yield opened
        finally:
            await opened.sender.close()


async def test_a_request_carries_the_token_and_what_is_sent() -> None:
    async with sending(FINE) as to:
        assert (
            await to.send(ApiRequest("GET", "/jobs", {"state": ["dead", "ready"], "metadata": '{"a":"&"}'})) == b"fine"
        )
        assert await to.send(KEYED) == b"fine"
    first, second = to.target.received
    assert first.resource == "/api/v1/jobs?state=dead&state=ready&metadata=%7B%22a%22%3A%22%26%22%7D"
    assert (first.headers["authorization"], first.body) == ("Bearer hwd_token", b"")
    assert (second.method, second.resource, second.body) == ("POST", "/api/v1/jobs", b"[1]")
    assert second.headers["content-type"] == "application/json"


@pytest.mark.parametrize("status", [429, 502, 503, 504])
@pytest.mark.parametrize("request_", [READ, KEYED], ids=["read", "keyed"])
async def test_what_may_be_repeated_is_sent_again_after_retry_after(status: int, request_: ApiRequest) -> None:
    async with sending(problem(status, headers=LATER), problem(status), FINE) as to:
        assert await to.send(request_) == b"fine"
    assert len({(one.method, one.resource, one.body) for one in to.target.received}) == 1
    assert len(to.target.received) == 3
    first, second = to.pauses
    # At most so much later that not everybody comes back at the same moment.
    assert 7 <= first <= 7.5
    assert 0 <= second <= 1


@pytest.mark.parametrize(
    "failure", [hang_up, say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"), say(b"what?\r\n")]
)
async def test_a_lost_answer_is_asked_for_again(failure: Answer) -> None:
    async with sending(failure, FINE) as to:
        assert await to.send(KEYED) == b"fine"
        assert len(to.target.received) == 2


@pytest.mark.parametrize("failure", [problem(503, headers=LATER), problem(504), hang_up])
async def test_what_may_not_be_repeated_is_sent_once_unless_nothing_was_done(failure: Answer) -> None:
    async with sending(failure, FINE) as to:
        with pytest.raises(UnavailableError, match=r"POST /jobs: .* Whether it took effect is not known\.$"):
            await to.send(WRITE)
        assert (len(to.target.received), to.pauses) == (1, [])
    async with sending(problem(429, headers=LATER), FINE) as to:
        assert await to.send(WRITE) == b"fine"


async def test_a_request_that_reached_nobody_is_sent_again_whatever_it_is() -> None:
    async with sending(FINE) as to:
        url, port = to.target.url(""), to.target.port
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        # Howdah comes back while the client waits.
        pauses.append(seconds)
        await stack.start(serve_again)

    async def serve_again(*, task_status: anyio.abc.TaskStatus[None]) -> None:
        async with run_target(FINE, port=port):
            task_status.started()
            await anyio.sleep_forever()

    sender = Sender(url, "t", timeout_seconds=30, retry_within_seconds=30, pause=pause)
    async with anyio.create_task_group() as stack:
        assert await sender.send(WRITE) == b"fine"
        await sender.close()
        stack.cancel_scope.cancel()
    assert len(pauses) == 1


async def test_it_gives_up_in_time_and_says_so() -> None:
    async with sending(problem(503, headers=LATER), retry_within_seconds=20) as to:
        with pytest.raises(UnavailableError) as caught:
            await to.send()
    # 7 s, 7 s, and another 7 would be too late.
    assert len(to.pauses) == 2
    assert str(caught.value) == "GET /jobs: Howdah is not available (tried 3 times): What to do."
    assert isinstance(caught.value.__cause__, ProblemError)


async def test_it_does_not_wait_longer_than_it_may_at_all() -> None:
    async with sending(problem(503, headers={"Retry-After": "86400"})) as to:
        with pytest.raises(UnavailableError):
            await to.send()
        assert (len(to.target.received), to.pauses) == (1, [])


@pytest.mark.parametrize("retry_after", ["soon", "-3", "nan", "Wed, 21 Oct 2015 07:28:00 GMT"])
async def test_a_retry_after_that_says_nothing_is_no_reason_to_wait(retry_after: str) -> None:
    async with sending(problem(503, headers={"Retry-After": retry_after}), FINE) as to:
        assert await to.send() == b"fine"
        assert to.pauses[0] <= 0.5


async def test_an_answer_that_takes_too_long_is_no_answer() -> None:
    async with sending(never, FINE, timeout_seconds=0.05) as to:
        assert await to.send() == b"fine"
        assert len(to.target.received) >= 2


class Recorder(httpx.AsyncBaseTransport):
    """Answers at once, and keeps what timeouts a request had."""

    def __init__(self) -> None:
        self.timeouts: dict[str, float] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.timeouts = request.extensions["timeout"]
        return httpx.Response(200, content=b"fine")


async def test_an_answer_may_be_held_back_for_as_long_as_was_asked() -> None:
    recorder = Recorder()
    sender = Sender("http://a", "t", timeout_seconds=5, retry_within_seconds=0, transport=recorder)
    assert await sender.send(ApiRequest("GET", "/jobs/1", wait_seconds=60)) == b"fine"
    assert recorder.timeouts == {"connect": 5, "read": 65, "write": 5, "pool": 5}
    await sender.close()


REFUSALS: Sequence[tuple[int, type[ProblemError]]] = [
    (400, InvalidRequestError),
    (401, UnauthorizedError),
    (403, ForbiddenError),
    (404, NotFoundError),
    (413, InvalidRequestError),
    (422, InvalidRequestError),
    (405, ProblemError),
    (500, ProblemError),
]


@pytest.mark.parametrize(("status", "kind"), REFUSALS)
async def test_a_problem_document_becomes_an_error_of_its_kind(status: int, kind: type[ProblemError]) -> None:
    async with sending(problem(status, "its-slug")) as to:
        with pytest.raises(ProblemError) as caught:
            await to.send()
        assert len(to.target.received) == 1
    assert type(caught.value) is kind
    assert str(caught.value) == "What to do."
    found = caught.value.problem
    assert (found.status, found.slug, found.errors[0].field) == (status, "its-slug", "f")


@pytest.mark.parametrize("status", [404, 302])
async def test_what_is_not_howdah_is_said_to_be_so(status: int) -> None:
    async with sending(respond(status, {"Location": "https://example.org/"}, b"<html>Welcome")) as to:
        with pytest.raises(UnexpectedAnswerError, match=rf"{status}.*<html>Welcome.*Is the URL right\?"):
            await to.send()
        assert len(to.target.received) == 1


@pytest.mark.parametrize(
    "url", ["", "howdah", "ftp://example.org", "https://", "http://a/?b=c", "http://a/#b", "http://a:b"]
)
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is no URL of Howdah"):
        Sender(url, "hwd_token", timeout_seconds=1, retry_within_seconds=1)


@pytest.mark.parametrize("token", ["", " \n", "a b", "gehe\u00efm", "a\nb", "a\0b"])
def test_a_token_that_is_none_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(ValueError, match="^the token is empty, or has characters that no token has$"):
        Sender("http://example.org", token, timeout_seconds=1, retry_within_seconds=1)


async def test_a_token_from_a_file_and_a_url_with_a_path_will_do() -> None:
    async with sending(FINE) as to:
        sender = Sender(to.target.url("/ci/"), "hwd_token\n", timeout_seconds=30, retry_within_seconds=1)
        assert await sender.send(READ) == b"fine"
        await sender.close()
    (received,) = to.target.received
    assert (received.resource, received.headers["authorization"]) == ("/ci/api/v1/jobs", "Bearer hwd_token")
