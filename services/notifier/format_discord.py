"""The body for a Discord webhook: one embed, and nobody is mentioned.

Limits after Discord's developer documentation: "Execute Webhook", "Embed Limits".
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from services.notifier.clean_text import cut_text, fit_lines, text_length
from services.notifier.describe_notice import Description, Mood
from services.notifier.link_lines import LineLink

_TITLE_LIMIT: Final = 256
_DESCRIPTION_LIMIT: Final = 4_096
# Discord shows punctuation after a backslash as it is. Addresses are kept from becoming links.
_MARKUP: Final = re.compile(r"([\\`*_~|<>\[\]]|@(?=\w)|:(?=//))")
_COLORS: Final = {Mood.GOOD: 0x2DA44E, Mood.BAD: 0xCF222E, Mood.NEUTRAL: 0x8C959F}


def format_discord(
    description: Description, page_url: str, line_links: Sequence[LineLink], happened_at: datetime
) -> bytes:
    """Return the JSON body."""
    lines = [_escape(description.subject), *map(_escape, description.details())]
    links = ", ".join(f"[{_escape(line.label)}]({line.url})" for line in line_links)
    closing = f"\nsee {links}" if links else ""
    embed: dict[str, object] = {
        # Cut before it is escaped, so that no backslash is cut off from what it escapes.
        "title": _escape(cut_text(description.headline, _TITLE_LIMIT // 2)),
        "url": page_url,
        "description": fit_lines(lines, _DESCRIPTION_LIMIT - text_length(closing)) + closing,
        "color": _COLORS[description.mood],
        "timestamp": happened_at,
    }
    if description.took:
        embed["footer"] = {"text": f"took {description.took}"}
    return msgspec.json.encode({"embeds": [embed], "allowed_mentions": {"parse": []}})


def _escape(text: str) -> str:
    return _MARKUP.sub(r"\\\1", text)
