"""What a chat service says about a message that it did not take."""

import re
from typing import Final

import msgspec

from shared.queries.models import ChannelKind

_SLACK_CODE: Final = re.compile(r"[a-z][a-z_]{2,60}")
_DISCORD_MESSAGE: Final = re.compile(r"[A-Za-z][A-Za-z .,'-]{2,100}")


class _DiscordError(msgspec.Struct):
    message: str
    code: int = 0


def explain_answer(kind: ChannelKind, body: bytes) -> str:
    """Return the service's own short reason, or nothing.

    The reason is shown to people who may not see the channel's address. Answers of generic webhooks are not
    repeated, because many servers repeat the requested address in them.
    """
    match kind:
        case ChannelKind.SLACK:
            text = body[:200].decode(errors="replace").strip()
            return text if _SLACK_CODE.fullmatch(text) else ""
        case ChannelKind.DISCORD:
            try:
                said = msgspec.json.decode(body, type=_DiscordError)
            except (msgspec.DecodeError, UnicodeError, RecursionError):
                return ""
            return f"{said.message}, code {said.code}" if _DISCORD_MESSAGE.fullmatch(said.message) else ""
        case ChannelKind.WEBHOOK:
            return ""
