"""The states of jobs and runs as the planner and the release decision see them.

The one place of this package that imports them.
"""

from enum import StrEnum
from typing import Final

from shared.queries.models import JobState, RunState

__all__ = ["FINAL_JOB_STATES", "JobState", "RunState", "SkipReason"]

FINAL_JOB_STATES: Final = frozenset(
    {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELED, JobState.DEAD, JobState.SKIPPED}
)


class SkipReason(StrEnum):
    """Why a job is skipped: the code that is stored with it."""

    WHEN = "when"
    NEED_FAILED = "need_failed"
    NEED_CANCELED = "need_canceled"
    NEED_SKIPPED = "need_skipped"
