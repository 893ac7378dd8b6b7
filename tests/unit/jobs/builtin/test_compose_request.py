"""A payload decides what is said in a request, and nothing about how it travels."""

from uuid import UUID

import msgspec
import pytest

from shared.jobs import JobContext, PermanentError
from shared.jobs.builtin.compose_request import compose_request
from shared.jobs.builtin.http_request import HttpRequest
from shared.jobs.job_context import GivenDetails
from shared.outgoing.send_request import Request

JOB = UUID("01930000-0000-7000-8000-000000000001")
URL = "https://example.org/"


def compose(payload: HttpRequest, *, traceparent: str = "") -> Request:
    return compose_request(payload, JobContext.for_test(GivenDetails(job_id=JOB, traceparent=traceparent)))


def test_without_a_body_it_is_a_get_and_with_one_a_post() -> None:
    assert (compose(HttpRequest(URL)).method, compose(HttpRequest(URL)).body) == ("GET", b"")
    text = compose(HttpRequest(URL, body="héllo"))
    assert (text.method, text.body) == ("POST", "héllo".encode())
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    json = compose(HttpRequest(URL, json={"a": [1, None]}))
    assert (json.method, json.body, json.headers["content-type"]) == ("POST", b'{"a":[1,null]}', "application/json")
    assert compose(HttpRequest(URL, json=None)).body == b"null"
    assert compose(HttpRequest(URL, method="PUT", body="")).method == "PUT"
    assert compose(HttpRequest(URL, method="DELETE")).method == "DELETE"


def test_a_body_is_text_or_json() -> None:
    with pytest.raises(msgspec.ValidationError, match="give body or json, not both"):
        msgspec.json.decode(b'{"url": "https://x", "body": "a", "json": 1}', type=HttpRequest)


def test_the_job_is_named_so_that_a_repetition_can_be_recognised() -> None:
    assert compose(HttpRequest(URL)).headers["idempotency-key"] == str(JOB)
    given = compose(HttpRequest(URL, headers={"Idempotency-Key": "mine"}))
    assert given.headers["idempotency-key"] == "mine"


def test_the_trace_goes_on() -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert compose(HttpRequest(URL), traceparent=trace).headers["traceparent"] == trace
    assert "traceparent" not in compose(HttpRequest(URL)).headers


def test_a_given_content_type_stands() -> None:
    assert compose(HttpRequest(URL, json={}, headers={"Content-Type": "x/y"})).headers["content-type"] == "x/y"


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"X": "a\r\nEvil: b"}, "the value of X has control characters"),
        ({"X": "a\nb"}, "the value of X has control characters"),
        ({"X": "a\0b"}, "the value of X has control characters"),
        ({"X": " a"}, "the value of X has control characters in it, or spaces around it"),
        ({"X\r\nY": "a"}, "is no name of a header"),
        ({"X:": "a"}, "is no name of a header"),
        ({"": "a"}, "is no name of a header"),
        ({"Ü": "a"}, "is no name of a header"),
        ({"X": "a", "x": "b"}, "x is there twice"),
        ({"X": "a" * 20_000}, "more than 16 KiB"),
        ({"Host": "elsewhere"}, "Host is set by Howdah"),
        ({"content-length": "1"}, "content-length is set by Howdah"),
        ({"Transfer-Encoding": "chunked"}, "Transfer-Encoding is set by Howdah"),
        ({"Connection": "upgrade"}, "Connection is set by Howdah"),
        ({"Proxy-Authorization": "x"}, "Proxy-Authorization is set by Howdah"),
    ],
)
def test_headers_that_would_split_or_redirect_a_request_are_refused_by_name(
    headers: dict[str, str], message: str
) -> None:
    with pytest.raises(PermanentError, match=message) as caught:
        compose(HttpRequest(URL, headers=headers))
    assert caught.value.reason == "invalid_payload"


@pytest.mark.parametrize("value", ["", "x", "a b\tc", "Bearer abc==", "größe"])
def test_ordinary_values_pass(value: str) -> None:
    assert compose(HttpRequest(URL, headers={"Authorization": value})).headers["authorization"] == value


@pytest.mark.parametrize(
    "raw",
    [
        b'{}',
        b'{"url": ""}',
        b'{"url": "https://x", "method": "TRACE"}',
        b'{"url": "https://x", "method": "GET / HTTP/1.1"}',
        b'{"url": "https://x", "expect": [99]}',
        b'{"url": "https://x", "timeout_seconds": 0}',
        b'{"url": "https://x", "timeout_seconds": 301}',
        b'{"url": "https://x", "hedaers": {}}',
    ],
)  # fmt: skip
def test_a_malformed_payload_is_refused(raw: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(raw, type=HttpRequest)
