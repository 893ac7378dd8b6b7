import base64

import pytest

from shared.sign_webhook import sign_webhook, signing_key

# The worked example that the reference libraries of Standard Webhooks test themselves with.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_signature_is_that_of_the_standard() -> None:
    signature = sign_webhook(
        signing_key(SECRET),
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp="1614265330",
        body=b'{"test": 2432232314}',
    )
    assert signature == SIGNATURE


def test_a_secret_is_base64_after_its_prefix_and_itself_without() -> None:
    assert signing_key(SECRET) == base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    assert signing_key("plain secret ü") == "plain secret ü".encode()


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_%%%", "whsec_abcde"])
def test_an_unusable_secret_is_an_error(secret: str) -> None:
    with pytest.raises(ValueError, match=r"secret is empty|not base64"):
        signing_key(secret)
