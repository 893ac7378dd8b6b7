"""Which jobs on their own a command means, as stored in `command.job_filter`: ingest writes, the scheduler reads."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

JobStateName = Literal["blocked", "scheduled", "ready", "running", "succeeded", "failed", "canceled", "skipped", "dead"]

Text = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^\x00]*$")]
Moment = Annotated[datetime, Meta(tz=True)]


class JobFilter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A job is meant when everything that is given holds for it; what is null is not asked for.

    Only jobs on their own are ever meant, never those of runs. `metadata` is contained in the job's (PostgreSQL's
    `@>`); `states` empty means any state that the command applies to. The times are of enqueueing: `enqueued_after` is
    inclusive, `enqueued_before` exclusive, so that stretches that follow each other share nothing, and leave nothing
    out.
    """

    type: Text | None = None
    queue: Text | None = None
    states: tuple[JobStateName, ...] = ()
    # The reason code of the job: of its waiting, or of its end.
    reason: Text | None = None
    concurrency_key: Text | None = None
    metadata: dict[str, Any] | None = None
    enqueued_after: Moment | None = None
    enqueued_before: Moment | None = None

    def means_every_job(self) -> bool:
        """Tell whether nothing at all is asked for, which no command about many jobs may do."""
        return self == JobFilter()
