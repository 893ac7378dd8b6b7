"""`GET /api/v1/jobs/{job}/log/lines`: lines of an attempt by their numbers, for pages; read is only what holds them."""

from collections.abc import Iterable
from typing import Annotated, Final

import anyio.lowlevel
import msgspec
from litestar import get
from litestar.params import QueryParameter

from services.ingest.authenticate import require_viewer
from services.ingest.find_attempt import AttemptParameter, find_attempt, find_kept_log
from services.ingest.pick_lines import LogLine
from services.ingest.problem_details import problem_responses
from services.ingest.read_level import LevelParameter, read_level
from services.ingest.read_lines import MOST_LINES, read_lines, read_marked
from services.ingest.read_log import JobInPath
from services.ingest.render_ansi import AnsiRenderer
from services.ingest.resources import FromResources, Resources
from services.ingest.show_line import ShownLine, level_of, show_line
from shared.ids import JobId
from shared.logs.find_level import Level

_MOST_LINE: Final = 2**62
_LINES_A_TURN: Final = 10


class ShownLines(msgspec.Struct, frozen=True):
    """Lines in the order of their numbers. `next_from`: where to go on, if not all that was asked for is there."""

    # Null: there is no attempt yet.
    attempt: int | None
    total_lines: int
    # Whether the attempt is over, so that no line will be added.
    ended: bool
    lines: list[ShownLine]
    next_from: int | None


@get(
    "/jobs/{job:str}/log/lines",
    guards=[require_viewer],
    tags=["jobs"],
    responses=problem_responses(401, 403, 404, 410, 422, 503),
)
async def show_log_lines(
    *,
    job: JobInPath,
    resources: FromResources,
    attempt: AttemptParameter = None,
    first_line: Annotated[
        int, QueryParameter(name="from", ge=0, le=_MOST_LINE, description="Number of the first line, from 0.")
    ] = 0,
    end_line: Annotated[
        int | None,
        QueryParameter(
            name="to",
            ge=0,
            le=_MOST_LINE,
            description="Number of the line before which to end. At most 2,000 lines are answered.",
        ),
    ] = None,
    level: LevelParameter = None,
    spans: Annotated[bool, QueryParameter(description="The text in pieces of one style, for pages.")] = False,
) -> ShownLines:
    """Return lines by their numbers, as they are by now."""
    least = read_level(level)
    chosen = await find_kept_log(resources.pool, job, attempt)
    if chosen is None:
        return await _nothing(resources, job, attempt)
    first = first_line
    end = chosen.line_count if end_line is None else min(end_line, chosen.line_count)
    if least is Level.UNMARKED:
        found, next_from = await read_lines(resources, job, chosen, first, min(end, first + MOST_LINES))
        next_from = first + MOST_LINES if next_from is None and first + MOST_LINES < end else next_from
        lines = await show_each(((line, level_of(line)) for line in found), AnsiRenderer() if spans else None)
    else:
        marked, next_from = await read_marked(resources, job, chosen, first, end=end, least=least)
        lines = await show_each(marked, AnsiRenderer() if spans else None)
    return ShownLines(chosen.epoch, chosen.line_count, chosen.ended, lines, next_from)


async def show_each(found: Iterable[tuple[LogLine, Level]], renderer: AnsiRenderer | None) -> list[ShownLine]:
    """Return lines as pages show them; others have their turn meanwhile, since long ones may take seconds in all."""
    shown: list[ShownLine] = []
    for line, level in found:
        shown.append(show_line(line, level, renderer))
        if len(shown) % _LINES_A_TURN == 0:
            await anyio.lowlevel.checkpoint()
    return shown


async def _nothing(resources: Resources, job_id: JobId, epoch: int | None) -> ShownLines:
    chosen = await find_attempt(resources.pool, job_id, epoch)
    if chosen is None:
        return ShownLines(None, 0, ended=False, lines=[], next_from=None)
    return ShownLines(chosen.epoch, 0, ended=chosen.ended, lines=[], next_from=None)
