"""What a message says, in words; each kind of channel dresses it in its own way."""

from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from services.notifier.clean_text import clean_text
from shared.notice import JobNotice, Notice

_NAME: Final = 100
_TITLE: Final = 150
_REASON: Final = 200
_COMMIT: Final = 7
_MOST_FAILURES_IN_SUMMARY: Final = 5


class Mood(StrEnum):
    """How the news is taken."""

    GOOD = "good"
    BAD = "bad"
    NEUTRAL = "neutral"


class Description(msgspec.Struct, frozen=True):
    """A message in parts, each one clean line of text. Nothing in it is escaped yet."""

    mood: Mood
    # app #41 failed
    headline: str
    # main @ 1a2b3c4 'Fix the roof' by Ada
    subject: str
    # test (exit code 2: error: the roof leaks)
    failures: list[str]
    # Why it came to this, where no failure tells; may be empty.
    reason: str
    # 2 min 5 s; empty when it is not known.
    took: str

    def details(self) -> list[str]:
        """Return what lies behind the headline, one line each."""
        if self.failures:
            return [f"failed: {failure}" for failure in self.failures]
        return [f"reason: {self.reason}"] if self.reason else []

    def summary(self) -> str:
        """Return all but the duration in one sentence."""
        sentence = f"{self.headline} — {self.subject}"
        if self.failures:
            shown = self.failures[:_MOST_FAILURES_IN_SUMMARY]
            rest = len(self.failures) - len(shown)
            return f"{sentence}; failed: {', '.join(shown)}" + (f" and {rest} more" if rest else "")
        return f"{sentence}; reason: {self.reason}" if self.reason else sentence


def describe_notice(event: str, notice: Notice) -> Description:
    """Put a notification into words."""
    mood, happened = _headline(event, notice)
    failures: list[str] = []
    reason = notice.reason if notice.reason and notice.reason != notice.state else ""
    if event == "run.failed":
        failures = [f"{clean_text(job.key, _NAME)} ({_cause(job)})" for job in notice.failed_jobs]
    elif notice.job is not None:
        reason = _cause(notice.job)
    return Description(
        mood=mood,
        headline=f"{clean_text(notice.pipeline, _NAME)} #{notice.run_number}{happened}",
        subject=_subject(notice),
        failures=failures,
        reason=clean_text(reason, 2 * _REASON),
        took=_duration(notice.started_at, notice.finished_at),
    )


def _headline(event: str, notice: Notice) -> tuple[Mood, str]:
    match event:
        case "run.succeeded":
            return Mood.GOOD, " succeeded"
        case "run.failed":
            return Mood.BAD, " failed"
        case "run.canceled":
            return Mood.NEUTRAL, " was canceled"
        case "run.skipped":
            return Mood.NEUTRAL, " was skipped"
        case "job.failed" if notice.job is not None:
            return Mood.BAD, f": job {clean_text(notice.job.key, _NAME)} failed"
        case _:  # from a scheduler that is newer than this notifier
            return Mood.NEUTRAL, f": {clean_text(event, _NAME)}"


def _cause(job: JobNotice) -> str:
    cause = f"exit code {job.exit_code}" if job.exit_code is not None else clean_text(job.error or job.state, _REASON)
    line = clean_text(job.failing_text or "", _REASON)
    return f"{cause}: {line}" if line else cause


def _subject(notice: Notice) -> str:
    ref = notice.branch or notice.ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
    subject = clean_text(ref, _NAME)
    if notice.commit:
        subject += f" @ {clean_text(notice.commit, _COMMIT + 1)[:_COMMIT]}"
    if title := clean_text(notice.title, _TITLE):
        subject += f" '{title}'"
    if author := clean_text(notice.author, _NAME):
        subject += f" by {author}"
    return subject


def _duration(started_at: datetime | None, finished_at: datetime | None) -> str:
    if started_at is None or finished_at is None or finished_at < started_at:
        return ""
    seconds = int((finished_at - started_at).total_seconds())
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
