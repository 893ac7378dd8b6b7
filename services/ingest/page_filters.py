"""How times, commits and states are written on pages. Pure."""

from datetime import datetime
from typing import Any, Final

import msgspec

_MARKS: Final = {
    "requested": "○",
    "blocked": "○",
    "scheduled": "◔",
    "ready": "◔",
    "waiting": "◔",
    "running": "●",
    "succeeded": "✓",
    "failed": "✗",
    "dead": "✗",
    "canceled": "⊘",
    "skipped": "-",
}

_REASONS: Final = {
    "asked": "waits for its time",
    "limit": "waits for its concurrency key",
    "needs": "waits for other jobs",
    "retry": "is to be tried again",
    "snooze": "has put itself off",
}
_MOST_JSON: Final = 20_000


def as_clock(at: datetime | None) -> str:
    """Return a time as people read it; the page's script makes it local and relative."""
    return "" if at is None else at.strftime("%Y-%m-%d %H:%M:%S UTC")


def as_machine_time(at: datetime | None) -> str:
    """Return a time for `datetime` attributes (RFC 3339); empty without one."""
    return "" if at is None else at.isoformat()


def as_duration(seconds: float) -> str:
    """Return `41 s`, `3 min 5 s`, `2 h 7 min`."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def as_commit(commit: str | None) -> str:
    """Return the first ten digits of a commit id."""
    return "" if commit is None else commit[:10]


def as_reason(reason: str) -> str:
    """Return what the code of a waiting job's reason means; a code that is not known stands for itself."""
    return _REASONS.get(reason, reason)


def as_actor(name: str) -> str:
    """Return the name of who did something, as people know it."""
    return name.removeprefix("token:")


def as_json(value: Any) -> str:
    """Return a JSON value as people read it, cut off where it is too long for a page."""
    raw = value if isinstance(value, msgspec.Raw) else msgspec.json.encode(value)
    text = msgspec.json.format(bytes(raw), indent=2).decode()
    return text if len(text) <= _MOST_JSON else f"{text[:_MOST_JSON]}\n…"


def as_mark(state: str) -> str:
    """Return the sign beside a state: states are not told apart by colour alone."""
    return _MARKS.get(state, "•")
