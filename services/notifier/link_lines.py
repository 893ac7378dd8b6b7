"""Links from a message to the lines that tell why jobs failed."""

from collections.abc import Callable
from typing import Final

import msgspec

from services.notifier.clean_text import clean_text
from shared.notice import Notice

_NAME: Final = 50
_MOST_LINKS: Final = 5


class LineLink(msgspec.Struct, frozen=True):
    """Where a line is shown. The label is one clean line of text, and not escaped yet."""

    label: str
    url: str


def link_lines(notice: Notice, page_url: Callable[[str], str]) -> list[LineLink]:
    """Return the links of a notice's failed jobs, the first few of them. Addresses count lines from 1."""
    jobs = [notice.job] if notice.job is not None else notice.failed_jobs
    return [
        LineLink(
            f"{clean_text(job.key, _NAME)}, line {job.failing_line + 1}",
            page_url(f"jobs/{job.id}#L{job.failing_line + 1}"),
        )
        for job in jobs
        if job.failing_line is not None
    ][:_MOST_LINKS]
