"""`GET /api/v1/jobs/{job}/log/lines`: lines of an attempt by their numbers, for pages; read is only what holds them."""

from typing import Annotated, Final

import msgspec
from litestar import get
from litestar.params import QueryParameter

from services.ingest.authenticate import require_viewer
from services.ingest.find_attempt import AttemptParameter, find_attempt, find_kept_log
from services.ingest.gather_lines import LineGatherer, LogLine
from services.ingest.problem_details import bad_field, problem_responses
from services.ingest.queries.logs import ListLogBlocksRow
from services.ingest.read_log import JobInPath
from services.ingest.read_log_states import AttemptLog
from services.ingest.render_ansi import AnsiRenderer
from services.ingest.resources import FromResources, Resources
from services.ingest.seek_log import list_blocks, seek_line
from services.ingest.show_line import ShownLine, level_of, show_line
from shared.ids import JobId
from shared.logs.find_level import Level

MOST_LINES: Final = 2000
# Read for one answer: whoever wants more goes on from where it says.
_MOST_BYTES: Final = 8 * 1024 * 1024
_MOST_LINE: Final = 2**62

LevelParameter = Annotated[
    str | None,
    QueryParameter(
        description="Only lines that are marked at least so: `trace`, `debug`, `info`, `warning`, `error` or `fatal`."
    ),
]


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
    first: Annotated[
        int, QueryParameter(name="from", ge=0, le=_MOST_LINE, description="Number of the first line, from 0.")
    ] = 0,
    end: Annotated[
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
    end = chosen.line_count if end is None else min(end, chosen.line_count)
    if least is Level.UNMARKED:
        found, next_from = await _read_lines(resources, job, chosen, first, min(end, first + MOST_LINES))
        next_from = first + MOST_LINES if next_from is None and first + MOST_LINES < end else next_from
        shown = [(line, level_of(line)) for line in found]
    else:
        shown, next_from = await _read_marked(resources, job, chosen, first, end=end, least=least)
    renderer = AnsiRenderer() if spans else None
    lines = [show_line(line, own_level, renderer) for line, own_level in shown]
    return ShownLines(chosen.epoch, chosen.line_count, chosen.ended, lines, next_from)


async def _nothing(resources: Resources, job_id: JobId, epoch: int | None) -> ShownLines:
    chosen = await find_attempt(resources.pool, job_id, epoch)
    if chosen is None:
        return ShownLines(None, 0, ended=False, lines=[], next_from=None)
    return ShownLines(chosen.epoch, 0, ended=chosen.ended, lines=[], next_from=None)


def read_level(name: str | None) -> Level:
    """Return the level of that name. Raises `Problem`."""
    if name is None:
        return Level.UNMARKED
    try:
        return Level[name.upper()]
    except KeyError:
        known = ", ".join(level.name.lower() for level in Level if level)
        raise bad_field("level", f"it is none of {known}") from None


async def _read_lines(
    resources: Resources, job_id: JobId, attempt: AttemptLog, first: int, end: int
) -> tuple[list[LogLine], int | None]:
    """Return the lines in the range, and where to go on if they are too much to read at once."""
    gatherer = LineGatherer(first, end)
    seq = await seek_line(resources.pool, job_id, attempt, first) if first < end else attempt.last_seq
    read_bytes, reached = 0, first
    while seq < attempt.last_seq and not gatherer.is_done():
        page = await resources.log_feeds.next_page(job_id, attempt, seq)
        for chunk in page.since(seq):
            if read_bytes >= _MOST_BYTES:
                # One that is as long as this alone is shown so far as it was read.
                next_from = max(reached, first + 1)
                return [line for line in gatherer.take() if line.number < next_from], next_from
            gatherer.feed(chunk)
            read_bytes += len(chunk.data)
            reached = max(reached, min(end, chunk.first_line + len(chunk.line_offsets_ms) - 1))
            if gatherer.is_done():
                break
        seq = page.last.seq
    return gatherer.take(), None


async def _read_marked(
    resources: Resources, job_id: JobId, attempt: AttemptLog, first: int, *, end: int, least: Level
) -> tuple[list[tuple[LogLine, Level]], int | None]:
    """Return the lines in the range that are marked so; blocks without any are passed over unread."""
    blocks = await list_blocks(resources.pool, job_id, attempt)
    found: list[tuple[LogLine, Level]] = []
    read_bytes, position = 0, first
    while position < end:
        skipped = _after_unmarked(blocks, position, least)
        if skipped > position:
            position = skipped
            continue
        until = min(end, position + MOST_LINES)
        lines, next_from = await _read_lines(resources, job_id, attempt, position, until)
        found += [(line, level) for line in lines if (level := level_of(line)) >= least]
        read_bytes += sum(len(line.head) + len(line.tail) + line.omitted_bytes for line in lines)
        position = until if next_from is None else next_from
        if len(found) >= MOST_LINES:
            following = found[MOST_LINES][0].number if len(found) > MOST_LINES else position
            return found[:MOST_LINES], following if following < end else None
        if read_bytes >= _MOST_BYTES and position < end:
            return found, position
    return found, None


def _after_unmarked(blocks: list[ListLogBlocksRow], line: int, least: Level) -> int:
    """Return the line behind those blocks, from that of `line` on, in which no line is marked so."""
    for block in blocks:
        if block.first_line <= line < block.first_line + block.line_count:
            if block.top_level >= least:
                return line
            line = block.first_line + block.line_count
    return line
