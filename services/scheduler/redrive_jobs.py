"""Redriving jobs on their own: what ended otherwise than well begins anew, with all its attempts."""

from typing import Final

from services.scheduler.move_jobs import Move, Tally, Wanted, count_jobs
from services.scheduler.queries.redrive_jobs import redrive_jobs
from shared.db import Connection
from shared.queries.models import JobState

# How often a job may be brought back from its end, unless the settings say otherwise.
MAX_REDRIVES: Final = 5


async def _redrive(connection: Connection, wanted: Wanted) -> Tally:
    done = await redrive_jobs(
        connection,
        command_id=wanted.command_id,
        job_ids=wanted.job_ids,
        states=wanted.states,
        reason=wanted.reason,
        max_redrives=wanted.max_redrives,
    )
    return Tally(moved=done.moved, refused=done.refused)


def _describe(tally: Tally, max_redrives: int) -> str:
    parts = []
    if tally.moved:
        parts.append(f"redrove {count_jobs(tally.moved)}")
    if tally.refused:
        parts.append(f"left {count_jobs(tally.refused)} that had been redriven {max_redrives} times already")
    return " and ".join(parts)


REDRIVE: Final = Move(
    verb="redrive",
    states=(JobState.FAILED, JobState.DEAD, JobState.CANCELED),
    apply=_redrive,
    describe=_describe,
)
