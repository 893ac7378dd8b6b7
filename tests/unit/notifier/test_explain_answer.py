import pytest

from services.notifier.explain_answer import explain_answer
from shared.queries.models import ChannelKind


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        (ChannelKind.SLACK, b"no_service", "no_service"),
        (ChannelKind.SLACK, b"invalid_blocks\n", "invalid_blocks"),
        (ChannelKind.SLACK, b"Cannot POST /services/T000/B000/secret", ""),
        (ChannelKind.SLACK, b"\xff\xfe", ""),
        (ChannelKind.SLACK, b"x" * 70_000, ""),
        (
            ChannelKind.DISCORD,
            b'{"message": "Unknown Webhook", "code": 10015}',
            "Unknown Webhook, code 10015",
        ),
        (ChannelKind.DISCORD, b'{"message": "/api/webhooks/1/secret"}', ""),
        (ChannelKind.DISCORD, b'{"message": 5}', ""),
        (ChannelKind.DISCORD, b"[" * 60_000, ""),
        (ChannelKind.DISCORD, b"not json", ""),
        (ChannelKind.DISCORD, b'{"message": "x", "y": ' + b"[" * 60_000, ""),
        (ChannelKind.DISCORD, b'{"message": "\xff"}', ""),
        (ChannelKind.WEBHOOK, b"no_service", ""),
    ],
)
def test_only_what_a_service_is_known_to_say_is_repeated(kind: ChannelKind, body: bytes, said: str) -> None:
    assert explain_answer(kind, body) == said
