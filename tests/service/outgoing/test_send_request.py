"""Whatever a target answers is an outcome, never an error that could end the process."""

from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.outgoing.outcome import Answered, Failed, Outcome
from shared.outgoing.read_url import read_url
from shared.outgoing.send_request import Request, send_request
from tests.service.notifier.target import Answer, never, respond, run_target, say

NO_HTTP = Failed("the connection was closed without an answer, or the answer is not HTTP")


async def send(answer: Answer, *, within_seconds: float = 60) -> Outcome:
    async with run_target(answer) as target:
        return await send_request(
            read_url(target.url()),
            [ip_address("127.0.0.1")],
            Request(b"{}", {"webhook-id": "x"}),
            within_seconds=within_seconds,
        )


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"HTTP/1.1 200",
        b"HTTP/1.1 99999 No\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nNo colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000,
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"\x00" * 200_000,
    ],
)
async def test_what_is_not_http_is_a_failure(answer: bytes) -> None:
    outcome = await send(say(answer))
    assert outcome in {NO_HTTP, Failed("the connection broke")}


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut off",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a chunk",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nxyz",
        b"HTTP/1.0 200 OK\r\n\r\nuntil the end",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 100 + b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nRetry-After: \x80\xff\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_a_status_counts_whatever_follows_it(answer: bytes) -> None:
    outcome = await send(say(answer))
    assert isinstance(outcome, Answered)
    assert outcome.status == 200


async def test_of_a_long_answer_only_the_beginning_is_kept() -> None:
    outcome = await send(respond(500, {"Retry-After": "7"}, b"x" * 10_000_000))
    assert isinstance(outcome, Answered)
    assert (outcome.status, outcome.retry_after_seconds) == (500, 7.0)
    assert outcome.body == b"x" * 65_536
    assert not outcome.complete


async def test_no_answer_ends_at_the_deadline() -> None:
    assert await send(never, within_seconds=0.01) == Failed("no answer within 0 s")


async def test_a_deadline_that_has_passed_sends_nothing() -> None:
    assert await send(respond(200), within_seconds=0) == Failed("no answer within 0 s")


@settings(max_examples=200, deadline=None)
@given(
    beginning=st.sampled_from([b"", b"HTTP/1.1 ", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n"]),
    rest=st.binary(max_size=200),
)
async def test_any_bytes_lead_to_an_outcome_that_we_know(beginning: bytes, rest: bytes) -> None:
    outcome = await send(say(beginning + rest))
    assert isinstance(outcome, Answered) or not outcome.reason.startswith("sending failed")
