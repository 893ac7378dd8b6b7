"""Discarding dead jobs: nobody wants them any more."""

from typing import Final

from services.scheduler.move_jobs import Move, Tally, Wanted, count_jobs
from services.scheduler.queries.discard_jobs import discard_jobs
from shared.db import Connection
from shared.queries.models import JobState


async def _discard(connection: Connection, wanted: Wanted) -> Tally:
    moved = await discard_jobs(connection, command_id=wanted.command_id, job_ids=wanted.job_ids, reason=wanted.reason)
    return Tally(moved=moved)


def _describe(tally: Tally, _max_redrives: int) -> str:
    return f"discarded {count_jobs(tally.moved, 'dead')}"


DISCARD: Final = Move(verb="discard", states=(JobState.DEAD,), apply=_discard, describe=_describe)
