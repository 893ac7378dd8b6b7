"""`GET /api/v1/jobs/{job}/log/outline`: what there is in an attempt's log, without its lines."""

from datetime import datetime
from typing import Final

import msgspec
from litestar import get

from services.ingest.authenticate import require_viewer
from services.ingest.find_attempt import AttemptParameter, choose_attempt, find_log_state
from services.ingest.problem_details import problem_responses
from services.ingest.queries.logs import ListLogStepsRow, list_log_steps, read_log_outline
from services.ingest.read_log import JobInPath
from services.ingest.resources import FromResources
from shared.db import Connection, query
from shared.logs.outline import LogOutline


class OutlinedStep(msgspec.Struct, frozen=True):
    """A step, and its lines."""

    position: int
    name: str
    first_line: int
    line_count: int
    started_at: datetime
    ended_at: datetime | None
    exit_code: int | None


class OutlinedGroup(msgspec.Struct, frozen=True):
    """Lines that their program has put together under a name."""

    name: str
    step: int
    first_line: int
    line_count: int


class ShownOutline(msgspec.Struct, frozen=True):
    """A log as a whole. Groups and levels are known shortly after the attempt has ended: `complete` says so."""

    # Null: there is no attempt yet.
    attempt: int | None
    attempts: list[int]
    lines: int
    bytes: int
    ended: bool
    complete: bool
    steps: list[OutlinedStep]
    groups: list[OutlinedGroup]
    # How many lines are marked with a level, for those that occur.
    levels: dict[str, int]
    # The line that most likely tells why the attempt failed.
    failing_line: int | None
    failing_text: str | None


_NOTHING: Final = ShownOutline(
    attempt=None,
    attempts=[],
    lines=0,
    bytes=0,
    ended=False,
    complete=False,
    steps=[],
    groups=[],
    levels={},
    failing_line=None,
    failing_text=None,
)


@get(
    "/jobs/{job:str}/log/outline",
    guards=[require_viewer],
    tags=["jobs"],
    responses=problem_responses(401, 403, 404, 422, 503),
)
async def show_log_outline(job: JobInPath, resources: FromResources, attempt: AttemptParameter = None) -> ShownOutline:
    """Return the steps and groups of a log, how many lines it has, and which line tells why the attempt failed."""
    state = await find_log_state(resources.pool, job)
    chosen = choose_attempt(state, attempt)
    if chosen is None:
        return _NOTHING
    epoch = chosen.epoch

    async def read(connection: Connection) -> ShownOutline:
        steps = await list_log_steps(connection, job_id=job, epoch=epoch)
        known = await read_log_outline(connection, job_id=job, epoch=epoch)
        outline = known.log_outline if known is not None else None
        packed = outline or LogOutline()
        return ShownOutline(
            attempt=epoch,
            attempts=[other.epoch for other in state.attempts],
            lines=chosen.line_count,
            bytes=chosen.byte_count,
            ended=chosen.ended,
            complete=chosen.ended and (not chosen.last_seq or (known is not None and known.is_packed)),
            steps=_outline_steps(steps, chosen.line_count),
            groups=[
                OutlinedGroup(group.name, group.step, group.first_line, group.line_count or 0)
                for group in packed.groups
            ],
            levels=packed.levels,
            failing_line=known.failing_line if known is not None else None,
            failing_text=known.failing_text if known is not None else None,
        )

    return await query(resources.pool, read)


def _outline_steps(steps: list[ListLogStepsRow], line_count: int) -> list[OutlinedStep]:
    """Return the steps; each has the lines up to the next one's first."""
    ends = [*(step.first_line for step in steps[1:]), line_count] if steps else []
    return [
        OutlinedStep(
            position=step.position,
            name=step.name,
            first_line=step.first_line,
            line_count=max(0, end - step.first_line),
            started_at=step.started_at,
            ended_at=step.ended_at,
            exit_code=step.exit_code,
        )
        for step, end in zip(steps, ends, strict=True)
    ]
