"""The duty that carries out what people asked for of a single run, job or queue.

One scheduler at a time, in the order in which the commands were given. Commands about many jobs have a duty of their
own (`apply_job_filters`), so that these never wait for a long one.
"""

import logging
from typing import Final, TypeVar

from services.scheduler.apply_to_job import JOB_MOVES, apply_to_job
from services.scheduler.cancel_run import cancel_run
from services.scheduler.finish_run import ACTOR
from services.scheduler.pause_queue import pause_queue, resume_queue
from services.scheduler.queries.apply_commands import TakeCommandRow, mark_applied, take_command
from services.scheduler.redrive_jobs import MAX_REDRIVES
from services.scheduler.rerun_run import rerun_run
from services.scheduler.take_duty import Duty, take_duty
from shared.db import Connection, Pool, in_transaction
from shared.ids import RunId
from shared.loop import jittered
from shared.queries.audit import record_event
from shared.queries.models import CommandKind

logger = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 2.0

T = TypeVar("T")


async def apply_commands(pool: Pool, plan_timeout_seconds: int, max_redrives: int = MAX_REDRIVES) -> float:
    """Carry out the oldest command, in one transaction: it is applied and marked, or neither."""

    async def apply_one(connection: Connection) -> bool:
        if not await take_duty(connection, Duty.APPLY):
            return False
        command = await take_command(connection)
        if command is None:
            return False
        outcome, new_run = await _apply(connection, command, plan_timeout_seconds, max_redrives)
        await mark_applied(connection, command_id=command.command_id, outcome=outcome, result_run_id=new_run)
        await record_event(
            connection,
            name="command.applied",
            actor=ACTOR,
            pipeline_id=None,
            run_id=command.run_id,
            job_id=command.job_id,
            detail={
                "kind": command.kind,
                "queue": command.queue,
                "given_by": command.given_by,
                "why": command.why,
                "outcome": outcome,
            },
        )
        logger.info("command %s: %s", command.kind, outcome, extra={"run_id": command.run_id})
        return True

    return 0 if await in_transaction(pool, apply_one) else jittered(_LOOK_SECONDS)


async def _apply(
    connection: Connection, command: TakeCommandRow, plan_timeout_seconds: int, max_redrives: int
) -> tuple[str, RunId | None]:
    match command.kind:
        case CommandKind.CANCEL_RUN:
            return await cancel_run(connection, _given(command.run_id), None), None
        case CommandKind.CANCEL_JOB if command.run_id is not None:
            return await cancel_run(connection, command.run_id, _given(command.job_id)), None
        case CommandKind.RERUN_RUN:
            return await rerun_run(
                connection,
                _given(command.run_id),
                requested_by=command.given_by,
                plan_timeout_seconds=plan_timeout_seconds,
            )
        case CommandKind.PAUSE_QUEUE:
            queue = _given(command.queue)
            return await pause_queue(connection, queue, paused_by=command.given_by, why=command.why), None
        case CommandKind.RESUME_QUEUE:
            return await resume_queue(connection, _given(command.queue)), None
        case (
            CommandKind.CANCEL_JOB | CommandKind.CANCEL_JOBS | CommandKind.REDRIVE_JOBS | CommandKind.DISCARD_JOBS
        ) as kind:
            outcome = await apply_to_job(
                connection,
                JOB_MOVES[kind],
                command_id=command.command_id,
                job_id=_given(command.job_id),
                max_redrives=max_redrives,
            )
            return outcome, None


def _given(value: T | None) -> T:
    """What the constraint command_has_object demands of a command of this kind."""
    if value is None:
        raise AssertionError("a command without its object")
    return value
