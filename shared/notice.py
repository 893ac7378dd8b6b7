"""What a notification says, as stored in `notification.payload`: a snapshot, true of its moment."""

from datetime import datetime
from uuid import UUID

import msgspec


class JobNotice(msgspec.Struct, frozen=True):
    """A job that ended, and how."""

    id: UUID
    key: str
    state: str
    exit_code: int | None
    error: str | None
    # The line of its log that most likely tells why, counted from 0; None in notices of earlier schedulers, too.
    failing_line: int | None = None
    failing_text: str | None = None


class Notice(msgspec.Struct, frozen=True):
    """A run that ended, or one of its jobs that failed."""

    pipeline: str
    run_id: UUID
    run_number: int
    state: str
    reason: str | None
    event: str
    ref: str
    branch: str | None
    commit: str | None
    title: str
    author: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    job: JobNotice | None
    failed_jobs: list[JobNotice]
