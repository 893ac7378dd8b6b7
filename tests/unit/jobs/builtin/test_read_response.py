"""Any answer becomes a result that JSON and PostgreSQL can hold, bounded, with its body as it was."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.jobs.builtin.http_request import HttpResponse
from shared.jobs.builtin.read_response import read_response
from shared.outgoing.outcome import Answered


def read(body: bytes, content_type: str = "", *, complete: bool = True) -> HttpResponse:
    return read_response(Answered(200, body=body, complete=complete, headers=(("content-type", content_type),)))


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        (b"", "", ""),
        ("Grüße ✓".encode(), "", "Grüße ✓"),
        ("Grüße".encode("latin-1"), "text/plain; charset=ISO-8859-1", "Grüße"),
        ("Grüße".encode("utf-16"), 'text/plain;charset="utf-16"', "Grüße"),
        ("こ".encode("shift_jis"), "text/html; Charset=Shift_JIS; x=y", "こ"),
        (b'{"a":\r\n\t1}', "application/json", '{"a":\r\n\t1}'),
    ],
)
def test_text_is_returned_as_text(body: bytes, content_type: str, text: str) -> None:
    response = read(body, content_type)
    assert (response.body, response.encoding, response.truncated) == (text, "text", False)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"\x89PNG\r\n", "image/png"),
        (b"a\x00b", "text/plain"),
        (b"\xff\xfe\xfd", "text/plain; charset=nonsense"),
        # A charset that would unpack an archive.
        (b"x\x9cK\x04\x00\x00b\x00b", "text/plain; charset=zlib"),
    ],
)
def test_what_is_no_text_is_returned_as_base64(body: bytes, content_type: str) -> None:
    response = read(body, content_type)
    assert response.encoding == "base64"
    assert base64.b64decode(response.body) == body


def test_a_text_that_was_cut_amid_a_character_is_still_text() -> None:
    response = read("Grü".encode()[:-1], complete=False)
    assert (response.body, response.encoding, response.truncated) == ("Gr", "text", True)
    assert read("Grü".encode()[:-1]).encoding == "base64"


def test_headers_that_came_several_times_are_joined() -> None:
    headers = (("vary", "a"), ("set-cookie", "a=1, b"), ("vary", "b"), ("set-cookie", "c=2"))
    assert read_response(Answered(200, headers=headers)).headers == {"vary": "a, b", "set-cookie": "a=1, b\nc=2"}


def test_headers_are_bounded() -> None:
    headers = tuple((f"x-{number}", "y" * 1000) for number in range(100))
    response = read_response(Answered(200, headers=headers))
    assert len(response.headers) == 16
    assert response.headers["x-0"] == "y" * 1000


@given(st.binary(max_size=200), st.sampled_from(["", "text/plain; charset=latin-1", "text/plain; charset=utf-16"]))
def test_any_body_can_be_stored_and_is_bounded(body: bytes, content_type: str) -> None:
    response = read(body, content_type)
    assert "\0" not in response.body
    assert len(json.dumps(response.body, ensure_ascii=False).encode()) <= 6 * len(body) + 20
    if response.encoding == "base64":
        assert base64.b64decode(response.body) == body
