"""`http_request` sends once, to an address that was checked, and says what the answer means for the job."""

import base64
from uuid import UUID

import anyio
import pytest
from anyio.abc import ByteStream
from cryptography import x509

from shared.jobs import JobContext, JobError, PermanentError, RetryableError
from shared.jobs.builtin.http_request import HttpRequest, HttpResponse, http_request
from shared.jobs.job_context import GivenDetails
from tests.service.notifier.target import Answer, Received, never, respond, run_target, say
from tests.service.outgoing.authority import Authority

JOB = UUID("01930000-0000-7000-8000-000000000001")
CONTEXT = JobContext.for_test(GivenDetails(job_id=JOB))
SECRET = "hunter2"


@pytest.fixture
def _allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOWDAH_ALLOWED_NETWORKS", "127.0.0.0/8")


async def ask(answer: Answer, *, expect: list[int] | None = None) -> HttpResponse:
    async with run_target(answer) as target:
        payload = HttpRequest(
            target.url(f"/path?token={SECRET}"), headers={"Authorization": SECRET}, json={}, expect=expect or []
        )
        try:
            return await http_request(payload, CONTEXT)
        except JobError as error:
            problem = error
    raise problem  # here, or the target's tasks would wrap it


@pytest.mark.usefixtures("_allowed")
async def test_what_was_asked_arrives_and_what_was_answered_is_the_result() -> None:
    async with run_target(respond(201, {"X-Made": "yes", "Content-Type": "application/json"}, b'{"id": 7}')) as target:
        payload = HttpRequest(target.url("/things?a=b%20c"), headers={"X-From": "here"}, json={"name": "x"})
        response = await http_request(payload, CONTEXT)
    assert response == HttpResponse(
        201,
        {"content-length": "9", "x-made": "yes", "content-type": "application/json"},
        '{"id": 7}',
        "text",
        truncated=False,
    )
    [received] = target.received
    assert (received.method, received.resource, received.body) == ("POST", "/things?a=b%20c", b'{"name":"x"}')
    assert received.headers["x-from"] == "here"
    assert received.headers["idempotency-key"] == str(JOB)
    assert received.headers["content-type"] == "application/json"


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost", "0x7f.1"])
async def test_a_private_address_gets_nothing(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.delenv("HOWDAH_ALLOWED_NETWORKS", raising=False)
    async with run_target(respond(200)) as target:
        with pytest.raises(PermanentError, match="HOWDAH_ALLOWED_NETWORKS can allow it") as caught:
            await http_request(HttpRequest(target.url(host=address)), CONTEXT)
    assert caught.value.reason == "address_refused"
    assert not target.received


@pytest.mark.parametrize(
    "url", ["ftp://example.org/", f"https://user:{SECRET}@example.org/", "https://exa mple.org", "file:///etc/passwd"]
)
async def test_what_is_no_plain_web_address_is_refused(url: str) -> None:
    with pytest.raises(PermanentError, match="url: ") as caught:
        await http_request(HttpRequest(url), CONTEXT)
    assert SECRET not in str(caught.value)


async def test_a_malformed_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOWDAH_ALLOWED_NETWORKS", "10.0.0.1/8")
    with pytest.raises(PermanentError, match="HOWDAH_ALLOWED_NETWORKS: .* has host bits set"):
        await http_request(HttpRequest("https://example.org"), CONTEXT)


@pytest.mark.usefixtures("_allowed")
async def test_a_redirect_is_not_followed_but_can_be_expected() -> None:
    async with run_target(respond(200)) as inner:
        redirect = respond(302, {"Location": inner.url()})
        with pytest.raises(PermanentError, match="answered 302: redirects are not followed"):
            await ask(redirect)
        assert (await ask(redirect, expect=[302])).headers["location"] == inner.url()
    assert not inner.received


@pytest.mark.usefixtures("_allowed")
@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (408, {}, None),
        (425, {}, None),
        (429, {"Retry-After": "120"}, 120),
        (500, {}, None),
        (502, {}, None),
        (503, {"Retry-After": "1.5"}, 1.5),
        (503, {"Retry-After": "0"}, None),
        (503, {"Retry-After": "999999999"}, 24 * 3600),
        (503, {"Retry-After": "soon"}, None),
    ],
)
async def test_trouble_of_the_target_is_tried_again_when_it_says(
    status: int, headers: dict[str, str], seconds: float | None
) -> None:
    with pytest.raises(RetryableError, match=f"POST 127.0.0.1 answered {status}") as caught:
        await ask(respond(status, headers, b"out of order"))
    assert caught.value.retry_in_seconds == seconds
    assert caught.value.reason == f"http_{status}"


@pytest.mark.usefixtures("_allowed")
@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 422])
async def test_a_request_that_the_target_refuses_is_not_repeated(status: int) -> None:
    with pytest.raises(PermanentError, match=f"POST 127.0.0.1 answered {status}") as caught:
        await ask(respond(status))
    assert caught.value.reason == f"http_{status}"


@pytest.mark.usefixtures("_allowed")
async def test_what_is_expected_decides() -> None:
    assert (await ask(respond(404), expect=[404, 200])).status == 404
    assert (await ask(respond(500), expect=[500])).status == 500
    with pytest.raises(PermanentError, match="answered 200"):
        await ask(respond(200), expect=[201])


@pytest.mark.usefixtures("_allowed")
@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut off",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    ],
)
async def test_an_answer_that_is_not_all_there_is_tried_again(answer: bytes) -> None:
    with pytest.raises(RetryableError) as caught:
        await ask(say(answer))
    assert caught.value.reason == "no_answer"


@pytest.mark.usefixtures("_allowed")
async def test_silence_ends_at_the_timeout() -> None:
    async with run_target(never) as target:
        with pytest.raises(RetryableError, match="GET 127.0.0.1: no answer within"):
            await http_request(HttpRequest(target.url(), timeout_seconds=0.05), CONTEXT)


@pytest.mark.usefixtures("_allowed")
async def test_a_body_that_trickles_ends_at_the_timeout() -> None:
    async def trickle(_received: Received, stream: ByteStream) -> None:
        await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
        await anyio.sleep_forever()

    async with run_target(trickle) as target:
        with pytest.raises(RetryableError) as caught:
            await http_request(HttpRequest(target.url(), timeout_seconds=0.2), CONTEXT)
    assert caught.value.reason == "no_answer"


@pytest.mark.usefixtures("_allowed")
async def test_nobody_there_is_tried_again() -> None:
    async with run_target(never) as target:
        url = target.url()
    with pytest.raises(RetryableError, match="GET 127.0.0.1: no connection: Connection refused"):
        await http_request(HttpRequest(url), CONTEXT)


async def test_a_name_that_is_not_found_is_tried_again() -> None:
    with pytest.raises(RetryableError, match=r"nowhere\.invalid cannot be looked up"):
        await http_request(HttpRequest("https://nowhere.invalid/"), CONTEXT)


@pytest.mark.usefixtures("_allowed")
async def test_of_a_long_answer_the_beginning_is_the_result() -> None:
    response = await ask(respond(200, body="é".encode() * 1_000_000))
    assert (len(response.body), response.encoding, response.truncated) == (128 * 1024, "text", True)
    response = await ask(respond(200, body=b"\x00\xff" * 1_000_000))
    assert (response.encoding, response.truncated) == ("base64", True)
    assert base64.b64decode(response.body) == b"\x00\xff" * (128 * 1024)


@pytest.mark.usefixtures("_allowed")
async def test_an_answer_of_just_the_limit_is_all_there() -> None:
    response = await ask(respond(200, body=b"x" * 256 * 1024))
    assert (len(response.body), response.truncated) == (256 * 1024, False)


@pytest.mark.usefixtures("_allowed")
@pytest.mark.parametrize(
    "answer", [respond(400, {"X": SECRET}, SECRET.encode()), respond(503, {"Location": SECRET}), say(SECRET.encode())]
)
async def test_no_secret_of_the_request_or_the_answer_is_told(answer: Answer) -> None:
    with pytest.raises((PermanentError, RetryableError)) as caught:
        await ask(answer)
    told = caught.value
    seen: BaseException | None = told
    while seen is not None:
        assert SECRET not in f"{seen} {seen!r} {seen.__notes__ if hasattr(seen, '__notes__') else ''}"
        seen = seen.__cause__ if seen.__suppress_context__ else seen.__cause__ or seen.__context__


@pytest.mark.usefixtures("_allowed")
async def test_a_canceled_job_hangs_up_at_once() -> None:
    hung_up = anyio.Event()

    async def wait(_received: Received, stream: ByteStream) -> None:
        with pytest.raises(anyio.EndOfStream):
            await stream.receive()
        hung_up.set()

    async with run_target(wait) as target, anyio.create_task_group() as job:
        job.start_soon(http_request, HttpRequest(target.url()), CONTEXT)
        await target.wait_for(1)
        job.cancel_scope.cancel()
        with anyio.CancelScope(shield=True), anyio.fail_after(30):
            await hung_up.wait()


@pytest.mark.usefixtures("_allowed")
async def test_a_certificate_must_hold(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    context = authority.server_context(x509.DNSName("localhost"))
    async with run_target(respond(204), tls=context) as target:
        good = HttpRequest(target.url(scheme="https", host="localhost"))
        monkeypatch.setenv("HOWDAH_ALLOWED_NETWORKS", "127.0.0.0/8,::1")
        assert (await http_request(good, CONTEXT)).status == 204
        with pytest.raises(RetryableError, match="TLS: IP address mismatch"):
            await http_request(HttpRequest(target.url(scheme="https")), CONTEXT)
    assert len(target.received) == 1
