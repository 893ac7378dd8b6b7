import pytest

from services.notifier.config import NotifierConfig
from shared.config import load_config
from shared.errors import ConfigurationError

REQUIRED = {
    "HOWDAH_DATABASE_URL": "postgresql://h",
    "HOWDAH_PUBLIC_URL": "https://ci.example.org/howdah/",
    "HOWDAH_SEALING_KEYS": "k:x",
}


def test_pages_are_linked_below_the_public_address() -> None:
    config = load_config(NotifierConfig, REQUIRED)
    assert config.page_url("runs/1") == "https://ci.example.org/howdah/runs/1"


@pytest.mark.parametrize("url", ["", "ci.example.org", "ftp://ci.example.org", "https://", "https://x/?a=b"])
def test_a_public_address_that_is_none_is_named(url: str) -> None:
    with pytest.raises(ConfigurationError, match="HOWDAH_PUBLIC_URL"):
        load_config(NotifierConfig, {**REQUIRED, "HOWDAH_PUBLIC_URL": url}).page_url("")


def test_a_claim_outlives_its_request() -> None:
    config = load_config(NotifierConfig, {**REQUIRED, "HOWDAH_NOTIFICATION_TIMEOUT_SECONDS": "20"})
    assert config.limits().claim_seconds == 40


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HOWDAH_NOTIFICATION_TRIES", "0"),
        ("HOWDAH_NOTIFICATION_TIMEOUT_SECONDS", "1"),
        ("HOWDAH_NOTIFICATION_TIMEOUT_SECONDS", "nan"),
        ("HOWDAH_NOTIFICATION_POLL_SECONDS", "0"),
        ("HOWDAH_NOTIFICATIONS_AT_ONCE", "many"),
    ],
)
def test_settings_out_of_range_are_named(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        load_config(NotifierConfig, {**REQUIRED, name: value})
