"""The header Retry-After (RFC 9110, section 10.2.3)."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite


def read_retry_after(value: str, now: datetime) -> float | None:
    """Return the seconds to wait, which the header gives as such or as a date; None if it cannot be read."""
    text = value.strip()
    try:
        # Discord and others give fractions, which the standard does not know.
        seconds = float(text) if text[:1].isdigit() else (_moment(text) - now).total_seconds()
    except (ValueError, OverflowError):
        return None
    return max(seconds, 0.0) if isfinite(seconds) else None


def _moment(text: str) -> datetime:
    moment = parsedate_to_datetime(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
