"""How times, commits and states are written on pages. Pure."""

from datetime import datetime
from typing import Final

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


def as_mark(state: str) -> str:
    """Return the sign beside a state: states are not told apart by colour alone."""
    return _MARKS.get(state, "•")
