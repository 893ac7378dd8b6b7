"""The duty that carries out what people asked for: cancel and rerun."""

import logging
from typing import Final

from services.scheduler.finish_run import ACTOR
from services.scheduler.queries.apply_commands import (
    TakeCommandsRow,
    cancel_jobs,
    mark_applied,
    request_run_cancel,
    rerun_run,
    take_commands,
)
from services.scheduler.queries.lock_run import lock_run_for_command
from shared.db import Connection, Pool, in_transaction
from shared.ids import JobId, RunId, new_id
from shared.loop import jittered
from shared.queries.audit import record_event
from shared.queries.models import CommandKind, RunState

logger = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 2.0
_ENDED: Final = (RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELED, RunState.SKIPPED)


async def apply_commands(pool: Pool, plan_timeout_seconds: int) -> float:
    """Carry out the oldest command, in one transaction: it is applied and marked, or neither."""

    async def apply_one(connection: Connection) -> bool:
        commands = await take_commands(connection, max_commands=1)
        for command in commands:
            outcome, new_run = await _apply(connection, command, plan_timeout_seconds)
            await mark_applied(connection, command_id=command.command_id, outcome=outcome, result_run_id=new_run)
            await record_event(
                connection,
                name="command.applied",
                actor=ACTOR,
                pipeline_id=None,
                run_id=command.run_id,
                job_id=command.job_id,
                detail={"kind": command.kind, "given_by": command.given_by, "why": command.why, "outcome": outcome},
            )
            logger.info("command %s: %s", command.kind, outcome, extra={"run_id": command.run_id})
        return bool(commands)

    return 0 if await in_transaction(pool, apply_one) else jittered(_LOOK_SECONDS)


async def _apply(
    connection: Connection, command: TakeCommandsRow, plan_timeout_seconds: int
) -> tuple[str, RunId | None]:
    match command.kind:
        case CommandKind.CANCEL_RUN | CommandKind.CANCEL_JOB:
            return await _cancel(connection, command), None
        case CommandKind.RERUN_RUN:
            new_run = RunId(new_id())
            number = await rerun_run(
                connection,
                run_id=command.run_id,
                new_run_id=new_run,
                new_plan_job_id=JobId(new_id()),
                requested_by=command.given_by,
                plan_timeout_seconds=plan_timeout_seconds,
            )
            return (f"requested run {number}", new_run) if number is not None else ("the run is gone", None)


async def _cancel(connection: Connection, command: TakeCommandsRow) -> str:
    run = await lock_run_for_command(connection, run_id=command.run_id)
    if run is None:
        return "the run is gone"
    if run.state in _ENDED:
        return f"nothing to cancel: run {run.number} has ended as {run.state}"
    if command.kind is CommandKind.CANCEL_RUN:
        await request_run_cancel(connection, run_id=command.run_id)
    done = await cancel_jobs(connection, run_id=command.run_id, job_id=command.job_id)
    if not done.canceled and not done.flagged:
        return "nothing to cancel: no job is waiting or running"
    return f"canceled {done.canceled} waiting and asked {done.flagged} running jobs to end"
