"""What leaves for Slack, Discord and generic webhooks is exactly what is written down under golden/."""

from pathlib import Path

import msgspec
import pytest

from services.notifier.compose_message import Message, UnsignableError, compose_message
from services.notifier.queries.claim_notifications import ClaimNotificationsRow
from shared.ids import ChannelId, NotificationId
from shared.queries.models import ChannelKind
from tests.unit.notifier.sample_notices import HAPPENED_AT, NOTICES, RUN_ID

GOLDEN = Path(__file__).parent / "golden"
SECRET = "whsec_c2VjcmV0"


def compose(kind: ChannelKind, event: str, secret: str | None = SECRET) -> Message:
    claimed = ClaimNotificationsRow(
        notification_id=NotificationId(RUN_ID),
        claim_epoch=1,
        event=event,
        payload=NOTICES[event],
        created_at=HAPPENED_AT,
        channel_id=ChannelId(RUN_ID),
        channel_name="team",
        kind=kind,
        sealed_url=b"",
        sealed_secret=None,
        key_id="",
    )
    return compose_message(claimed, page_url="https://ci.example.org/{}".format, secret=secret)


@pytest.mark.parametrize("event", NOTICES)
@pytest.mark.parametrize("kind", ChannelKind)
def test_body_is_the_golden_one(kind: ChannelKind, event: str) -> None:
    golden = GOLDEN / f"{kind}-{event}.json"
    assert msgspec.json.format(compose(kind, event).body, indent=2).decode() + "\n" == golden.read_text()


def test_no_golden_file_is_left_over() -> None:
    expected = {f"{kind}-{event}" for kind in ChannelKind for event in NOTICES}
    assert {path.stem for path in GOLDEN.iterdir()} == expected


def test_only_webhooks_are_signed_and_they_always_are() -> None:
    assert set(compose(ChannelKind.WEBHOOK, "run.failed").headers) == {
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
    }
    assert not compose(ChannelKind.SLACK, "run.failed").headers
    assert not compose(ChannelKind.DISCORD, "run.failed").headers
    for secret in (None, "", "whsec_%%%"):
        with pytest.raises(UnsignableError):
            compose(ChannelKind.WEBHOOK, "run.failed", secret)
