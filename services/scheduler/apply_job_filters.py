"""The duty that carries out commands about many jobs: batch by batch, each in a transaction of its own.

How far a command has come is part of its row, so that another scheduler can go on with it. One at a time, in the
order in which they were given. A job that was enqueued after the command is not meant.
"""

import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

import msgspec

from services.scheduler.apply_to_job import JOB_MOVES
from services.scheduler.finish_run import ACTOR
from services.scheduler.move_jobs import Move, Tally, Wanted
from services.scheduler.queries.apply_commands import mark_applied
from services.scheduler.queries.apply_job_filters import (
    FindFilterCommandRow,
    find_filter_command,
    lock_filter_command,
    record_progress,
)
from services.scheduler.redrive_jobs import MAX_REDRIVES
from services.scheduler.search_jobs import SEARCH, WALK_FROM, FoundJobs, search_jobs
from shared.db import Connection, Pool, in_transaction, query
from shared.ids import JobId
from shared.job_filter import JobFilter
from shared.loop import jittered
from shared.queries.audit import record_event

logger = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 5.0
# Jobs that are changed in one transaction.
_BATCH: Final = 1000


async def apply_job_filters(
    pool: Pool,
    max_redrives: int = MAX_REDRIVES,
    *,
    batch: int = _BATCH,
    search: int = SEARCH,
    walk_from: int = WALK_FROM,
) -> float:
    """Bring the oldest command further, by one search; returns the seconds until the next look."""
    command = await query(pool, find_filter_command)
    if command is None:
        return jittered(_LOOK_SECONDS)
    move = JOB_MOVES[command.kind]
    wanted = _read_filter(command.job_filter)
    if isinstance(wanted, str):
        why = wanted
        went_on = await in_transaction(
            pool, partial(_end, command=command, last_job_id=command.last_job_id, describe=lambda _tally: why)
        )
        return 0 if went_on else jittered(_LOOK_SECONDS)
    states = [state for state in move.states if not wanted.states or state in wanted.states]
    found = await search_jobs(pool, command, wanted, states, most=search, walk_from=walk_from)
    last_job_id = command.last_job_id
    for job_ids, reached in _cut(found, batch):
        apply_batch = partial(
            _apply_batch,
            command=command,
            last_job_id=last_job_id,
            reached=reached,
            move=move,
            wanted=Wanted(
                command_id=command.command_id,
                job_ids=job_ids,
                states=states,
                reason=wanted.reason,
                max_redrives=max_redrives,
            ),
        )
        if not await in_transaction(pool, apply_batch):
            return jittered(_LOOK_SECONDS)
        last_job_id = reached
    if not found.is_end:
        return 0
    describe = partial(_describe, move=move, max_redrives=max_redrives)
    went_on = await in_transaction(pool, partial(_end, command=command, last_job_id=last_job_id, describe=describe))
    return 0 if went_on else jittered(_LOOK_SECONDS)


def _read_filter(stored: object) -> JobFilter | str:
    """Return the filter, or why it cannot be applied: what an ingest wrote that is newer than we are, say."""
    try:
        wanted = msgspec.convert(stored, JobFilter)
    except msgspec.ValidationError as error:
        return f"nothing was done: the filter cannot be read: {error}"
    if wanted.means_every_job():
        return "nothing was done: the filter means every job; name a type, a queue or another property"
    return wanted


def _cut(found: FoundJobs, size: int) -> Iterator[tuple[list[JobId], JobId]]:
    """Yield batches of jobs, and up to which job everything has been searched with each."""
    for start in range(0, len(found.job_ids), size):
        job_ids = found.job_ids[start : start + size]
        yield job_ids, job_ids[-1]
    if found.last_job_id is not None and found.last_job_id not in found.job_ids[-1:]:
        yield [], found.last_job_id


async def _apply_batch(
    connection: Connection,
    *,
    command: FindFilterCommandRow,
    last_job_id: JobId | None,
    reached: JobId,
    move: Move,
    wanted: Wanted,
) -> bool:
    """Change one batch; False if another scheduler is at the command."""
    locked = await lock_filter_command(connection, command_id=command.command_id, last_job_id=last_job_id)
    if locked is None:
        return False
    tally = await move.apply(connection, wanted) if wanted.job_ids else Tally()
    await record_progress(
        connection,
        command_id=command.command_id,
        last_job_id=reached,
        moved=tally.moved,
        asked=tally.asked,
        refused=tally.refused,
    )
    return True


def _describe(tally: Tally, *, move: Move, max_redrives: int) -> str:
    if tally == Tally():
        return f"nothing to {move.verb}: the filter means no job for which that can be done"
    return move.describe(tally, max_redrives)


async def _end(
    connection: Connection,
    command: FindFilterCommandRow,
    last_job_id: JobId | None,
    describe: Callable[[Tally], str],
) -> bool:
    """Mark the command applied; False if another scheduler is at it."""
    done = await lock_filter_command(connection, command_id=command.command_id, last_job_id=last_job_id)
    if done is None:
        return False
    outcome = describe(Tally(done.jobs_moved, done.jobs_asked, done.jobs_refused))
    await mark_applied(connection, command_id=command.command_id, outcome=outcome, result_run_id=None)
    await record_event(
        connection,
        name="command.applied",
        actor=ACTOR,
        pipeline_id=None,
        run_id=None,
        job_id=None,
        detail={
            "kind": command.kind,
            "job_filter": command.job_filter,
            "given_by": command.given_by,
            "why": command.why,
            "outcome": outcome,
        },
    )
    logger.info("command %s about many jobs: %s", command.kind, outcome)
    return True
