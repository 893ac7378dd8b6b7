"""What leaves for Slack, Discord and generic webhooks is exactly what is written down under golden/."""

from pathlib import Path

import msgspec
import pytest

from services.notifier.describe_notice import describe_notice
from services.notifier.format_discord import format_discord
from services.notifier.format_slack import format_slack
from services.notifier.format_webhook import format_webhook
from tests.unit.notifier.sample_notices import HAPPENED_AT, NOTICES, PAGE_URL

GOLDEN = Path(__file__).parent / "golden"
KINDS = ("slack", "discord", "webhook")


def body_of(kind: str, event: str) -> bytes:
    notice = NOTICES[event]
    description = describe_notice(event, notice)
    match kind:
        case "slack":
            return format_slack(description, PAGE_URL)
        case "discord":
            return format_discord(description, PAGE_URL, HAPPENED_AT)
        case _:
            return format_webhook(event, notice, description, PAGE_URL, HAPPENED_AT)


@pytest.mark.parametrize("event", NOTICES)
@pytest.mark.parametrize("kind", KINDS)
def test_body_is_the_golden_one(kind: str, event: str) -> None:
    golden = GOLDEN / f"{kind}-{event}.json"
    assert msgspec.json.format(body_of(kind, event), indent=2).decode() + "\n" == golden.read_text()


def test_no_golden_file_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == {
        f"{kind}-{event}" for kind in KINDS for event in NOTICES
    }
