"""Canceling jobs on their own: what waits ends at once, what runs is asked to end."""

from typing import Final

from services.scheduler.move_jobs import Move, Tally, Wanted, count_jobs
from services.scheduler.queries.cancel_jobs import cancel_jobs
from shared.db import Connection
from shared.queries.models import JobState


async def _cancel(connection: Connection, wanted: Wanted) -> Tally:
    done = await cancel_jobs(
        connection,
        command_id=wanted.command_id,
        job_ids=wanted.job_ids,
        states=wanted.states,
        reason=wanted.reason,
    )
    return Tally(moved=done.moved, asked=done.asked)


def _describe(tally: Tally, _max_redrives: int) -> str:
    parts = []
    if tally.moved:
        parts.append(f"canceled {count_jobs(tally.moved, 'waiting')}")
    if tally.asked:
        parts.append(f"asked {count_jobs(tally.asked, 'running')} to end")
    return " and ".join(parts)


CANCEL: Final = Move(
    verb="cancel",
    states=(JobState.BLOCKED, JobState.SCHEDULED, JobState.READY, JobState.RUNNING),
    apply=_cancel,
    describe=_describe,
)
