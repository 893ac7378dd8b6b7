"""The duty that carries out commands about many jobs: batch by batch, each in a transaction of its own.

How far a command has come is part of its row, so that another scheduler can go on with it. One at a time, in the
order in which they were given. A job that was enqueued after the command is not meant.
"""

import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final
from uuid import UUID

import msgspec

from services.scheduler.apply_to_job import JOB_MOVES
from services.scheduler.finish_run import ACTOR
from services.scheduler.move_jobs import Move, Tally, Wanted
from services.scheduler.queries.apply_commands import mark_applied
from services.scheduler.queries.apply_job_filters import (
    FindFilterCommandRow,
    find_filter_command,
    find_filtered_jobs,
    lock_filter_command,
    record_progress,
)
from services.scheduler.redrive_jobs import MAX_REDRIVES
from shared.db import Connection, Pool, in_transaction, query
from shared.ids import JobId
from shared.job_filter import JobFilter
from shared.loop import jittered
from shared.queries.audit import record_event
from shared.queries.models import JobState

logger = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 4.0
# Jobs that are changed in one transaction.
_BATCH: Final = 1000
# Jobs whose ids one search brings.
_SEARCH: Final = 20_000
_BEFORE_ALL: Final = JobId(UUID(int=0))


async def apply_job_filters(
    pool: Pool, max_redrives: int = MAX_REDRIVES, *, batch: int = _BATCH, search: int = _SEARCH
) -> float:
    """Bring the oldest command further, by one search; returns the seconds until the next look."""
    command = await query(pool, find_filter_command)
    if command is None:
        return jittered(_LOOK_SECONDS)
    move = JOB_MOVES[command.kind]
    wanted = _read_filter(command.job_filter)
    if isinstance(wanted, str):
        why = wanted
        ended = await in_transaction(
            pool, partial(_end, command=command, last_job_id=command.last_job_id, describe=lambda _tally: why)
        )
        return 0 if ended else jittered(_LOOK_SECONDS)
    states = [state for state in move.states if not wanted.states or state in wanted.states]
    job_ids = await _search(pool, command, wanted, states, search) if states else []
    last_job_id = command.last_job_id
    for job_ids_of_batch in _cut(job_ids, batch):
        went_on = await in_transaction(
            pool,
            partial(
                _apply_batch,
                command=command,
                last_job_id=last_job_id,
                move=move,
                wanted=Wanted(
                    command_id=command.command_id,
                    job_ids=job_ids_of_batch,
                    states=states,
                    reason=wanted.reason,
                    max_redrives=max_redrives,
                ),
            ),
        )
        if not went_on:
            return jittered(_LOOK_SECONDS)
        last_job_id = job_ids_of_batch[-1]
    if len(job_ids) == search:
        return 0
    ended = await in_transaction(
        pool,
        partial(
            _end,
            command=command,
            last_job_id=last_job_id,
            describe=lambda tally: _describe(move, tally, max_redrives),
        ),
    )
    return 0 if ended else jittered(_LOOK_SECONDS)


def _read_filter(stored: object) -> JobFilter | str:
    """Return the filter, or why it cannot be applied: what an ingest wrote that is newer than we are, say."""
    try:
        wanted = msgspec.convert(stored, JobFilter)
    except msgspec.ValidationError as error:
        return f"nothing was done: the filter cannot be read: {error}"
    if wanted.means_every_job():
        return "nothing was done: the filter means every job; name a type, a queue or another property"
    return wanted


async def _search(
    pool: Pool, command: FindFilterCommandRow, wanted: JobFilter, states: list[JobState], max_jobs: int
) -> list[JobId]:
    return await query(
        pool,
        lambda connection: find_filtered_jobs(
            connection,
            states=states,
            after_job_id=command.last_job_id or _BEFORE_ALL,
            given_at=command.given_at,
            job_type=wanted.type,
            queue=wanted.queue,
            reason=wanted.reason,
            concurrency_key=wanted.concurrency_key,
            enqueued_after=wanted.enqueued_after,
            enqueued_before=wanted.enqueued_before,
            metadata=wanted.metadata,
            max_jobs=max_jobs,
        ),
    )


def _cut(job_ids: list[JobId], size: int) -> Iterator[list[JobId]]:
    return (job_ids[start : start + size] for start in range(0, len(job_ids), size))


async def _apply_batch(
    connection: Connection, command: FindFilterCommandRow, last_job_id: JobId | None, move: Move, wanted: Wanted
) -> bool:
    """Change one batch; False if another scheduler is at the command."""
    locked = await lock_filter_command(connection, command_id=command.command_id, last_job_id=last_job_id)
    if locked is None:
        return False
    tally = await move.apply(connection, wanted)
    await record_progress(
        connection,
        command_id=command.command_id,
        last_job_id=wanted.job_ids[-1],
        moved=tally.moved,
        asked=tally.asked,
        refused=tally.refused,
    )
    return True


def _describe(move: Move, tally: Tally, max_redrives: int) -> str:
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
