"""Signatures of webhooks, against the vectors that their authors publish."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.verify_signature import (
    Signed,
    StandardHeaders,
    Unsigned,
    make_secret,
    sign_github,
    verify_github,
    verify_standard,
)
from shared.sign_webhook import sign_webhook, signing_key

# GitHub Docs, "Validating webhook deliveries", "Testing the webhook payload validation".
GITHUB_SECRET = "It's a Secret to Everybody"
GITHUB_BODY = b"Hello, World!"
GITHUB_SIGNATURE = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"

# The test vector of the Standard Webhooks reference libraries.
STANDARD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
STANDARD_ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
STANDARD_TIMESTAMP = "1614265330"
STANDARD_BODY = b'{"test": 2432232314}'
STANDARD_SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def sign_standard(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    return sign_webhook(signing_key(secret), message_id=message_id, timestamp=timestamp, body=body)


def standard(signature: str | None, now: float = 1614265330, secret: str = STANDARD_SECRET) -> Signed | Unsigned:
    headers = StandardHeaders(STANDARD_ID, STANDARD_TIMESTAMP, signature)
    return verify_standard(secret, headers, STANDARD_BODY, now)


def test_githubs_documented_example_holds() -> None:
    assert sign_github(GITHUB_SECRET, GITHUB_BODY) == GITHUB_SIGNATURE
    assert isinstance(verify_github(GITHUB_SECRET, GITHUB_SIGNATURE, GITHUB_BODY), Signed)


@pytest.mark.parametrize(
    "signature",
    [None, "", "sha256=", GITHUB_SIGNATURE[:-1], GITHUB_SIGNATURE.upper(), GITHUB_SIGNATURE[7:], "sha1=ab", "é"],
)
def test_every_other_github_signature_does_not_hold(signature: str | None) -> None:
    assert isinstance(verify_github(GITHUB_SECRET, signature, GITHUB_BODY), Unsigned)


def test_the_standard_webhooks_vector_holds() -> None:
    assert sign_standard(STANDARD_SECRET, STANDARD_ID, STANDARD_TIMESTAMP, STANDARD_BODY) == STANDARD_SIGNATURE
    assert isinstance(standard(STANDARD_SIGNATURE), Signed)
    # While a secret is rotated, a sender signs with both.
    assert isinstance(standard(f"v1,AAAA {STANDARD_SIGNATURE} v2,other"), Signed)


@pytest.mark.parametrize(
    "signature", [None, "", " ", STANDARD_SIGNATURE[3:], STANDARD_SIGNATURE.replace("v1,", "v2,"), "v1,", "v1,é"]
)
def test_every_other_standard_signature_does_not_hold(signature: str | None) -> None:
    assert isinstance(standard(signature), Unsigned)


@pytest.mark.parametrize(
    ("age", "holds"), [(0, True), (299, True), (300, True), (301, False), (-300, True), (-301, False)]
)
def test_a_signed_push_holds_for_five_minutes(age: int, holds: bool) -> None:
    assert isinstance(standard(STANDARD_SIGNATURE, now=int(STANDARD_TIMESTAMP) + age), Signed) is holds


@pytest.mark.parametrize("timestamp", ["", "x", "1e9", "-1", "١٢٣", "9" * 13, " 1614265330", "1614265330.5"])
def test_a_timestamp_is_whole_seconds(timestamp: str) -> None:
    signature = sign_standard(STANDARD_SECRET, STANDARD_ID, timestamp, STANDARD_BODY)
    headers = StandardHeaders(STANDARD_ID, timestamp, signature)
    assert isinstance(verify_standard(STANDARD_SECRET, headers, STANDARD_BODY, 1614265330), Unsigned)


@given(body=st.binary(max_size=200), message_id=st.text(alphabet="abc123_", min_size=1, max_size=20))
def test_the_digest_is_of_what_was_signed(body: bytes, message_id: str) -> None:
    """A replay has the same digest; another nonce, time or body has another."""

    def digest(some_id: str, timestamp: str, some_body: bytes) -> bytes:
        signature = sign_standard("secret", some_id, timestamp, some_body)
        verdict = verify_standard("secret", StandardHeaders(some_id, timestamp, signature), some_body, 100)
        assert isinstance(verdict, Signed)
        return verdict.digest

    first = digest(message_id, "100", body)
    assert digest(message_id, "100", body) == first
    assert (
        len(
            {
                first,
                digest(message_id, "101", body),
                digest(message_id + "x", "100", body),
                digest(message_id, "100", body + b"x"),
            }
        )
        == 4
    )


def test_a_secret_is_text_or_base64_after_its_prefix() -> None:
    assert signing_key("plain é") == "plain é".encode()
    assert signing_key("whsec_" + base64.b64encode(b"sixteen bytes!!!").decode()) == b"sixteen bytes!!!"
    assert signing_key("whsec_" + base64.b64encode(b"sixteen bytes!!!").decode().rstrip("=")) == b"sixteen bytes!!!"
    with pytest.raises(ValueError, match="base64"):
        signing_key("whsec_?")


def test_a_made_secret_is_long_and_never_the_same() -> None:
    assert len({make_secret() for _ in range(100)}) == 100
    assert len(make_secret()) == 64
