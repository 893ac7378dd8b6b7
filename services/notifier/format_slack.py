"""The body for a Slack incoming webhook, in Block Kit.

Limits and escaping after docs.slack.dev: "Text object", "Section block", "Formatting message text".
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from services.notifier.clean_text import fit_lines
from services.notifier.describe_notice import Description, Mood
from services.notifier.link_lines import LineLink

# Slack takes 3,000; below that, since it counts what it decodes in ways of its own.
_SECTION_LIMIT: Final = 2_900
_ESCAPED: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_SIGNS: Final = {Mood.GOOD: ":white_check_mark:", Mood.BAD: ":x:", Mood.NEUTRAL: ":heavy_minus_sign:"}


def format_slack(description: Description, page_url: str, lines: Sequence[LineLink]) -> bytes:
    """Return the JSON body. What comes from outside stands in `plain_text`, where no markup is read."""
    blocks: list[dict[str, object]] = [
        {
            "type": "section",
            "text": {
                "type": "mrkdwn",
                "verbatim": True,
                "text": f"{_SIGNS[description.mood]} *{_link(page_url, description.headline)}*",
            },
        },
        _plain_section([description.subject]),
    ]
    if details := description.details():
        blocks.append(_plain_section(details))
    if lines:
        links = ", ".join(_link(line.url, line.label) for line in lines)
        blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "verbatim": True, "text": f"see {links}"}]})
    if description.took:
        blocks.append({"type": "context", "elements": [_plain_text(f"took {description.took}")]})
    return msgspec.json.encode(
        {
            # For notifications, screen readers, and servers that speak Slack's tongue without blocks.
            "text": description.summary().translate(_ESCAPED),
            "blocks": blocks,
            "unfurl_links": False,
            "unfurl_media": False,
        }
    )


def _link(url: str, label: str) -> str:
    return f"<{url.translate(_ESCAPED)}|{label.translate(_ESCAPED)}>"


def _plain_section(lines: list[str]) -> dict[str, object]:
    return {
        "type": "section",
        "text": _plain_text(fit_lines([line.translate(_ESCAPED) for line in lines], _SECTION_LIMIT)),
    }


def _plain_text(text: str) -> dict[str, object]:
    return {"type": "plain_text", "emoji": False, "text": text}
