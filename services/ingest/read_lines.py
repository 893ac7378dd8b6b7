"""Lines of an attempt by their numbers, and how they are marked; read is only what holds them."""

from typing import Final

from services.ingest.pick_lines import LinePicker, LogLine
from services.ingest.queries.logs import ListLogBlocksRow
from services.ingest.read_log_states import AttemptLog
from services.ingest.resources import Resources
from services.ingest.seek_log import list_blocks, seek_line
from services.ingest.show_line import level_of
from shared.ids import JobId
from shared.logs.find_level import Level

MOST_LINES: Final = 2000
# Read at once: whoever wants more goes on from where it says.
_MOST_BYTES: Final = 8 * 1024 * 1024
# What a line counts for beside its bytes: empty ones are read, too.
_LINE_COST: Final = 100


async def read_lines(
    resources: Resources, job_id: JobId, attempt: AttemptLog, first: int, end: int
) -> tuple[list[LogLine], int | None]:
    """Return the lines in the range, and where to go on if they are too much to read at once.

    Raises `DatabaseUnavailableError`.
    """
    picker = LinePicker(first, end)
    seq = await seek_line(resources.pool, job_id, attempt, first) if first < end else attempt.last_seq
    read_bytes, reached = 0, first
    while seq < attempt.last_seq and not picker.is_done():
        page = await resources.log_feeds.next_page(job_id, attempt, seq)
        for chunk in page.since(seq):
            if read_bytes >= _MOST_BYTES:
                # One that is as long as this alone is shown so far as it was read.
                next_from = max(reached, first + 1)
                return [line for line in picker.take() if line.number < next_from], next_from
            picker.feed(chunk)
            read_bytes += len(chunk.data)
            reached = max(reached, min(end, chunk.first_line + len(chunk.line_offsets_ms) - 1))
            if picker.is_done():
                break
        seq = page.last.seq
    return picker.take(), None


async def read_marked(
    resources: Resources, job_id: JobId, attempt: AttemptLog, first: int, *, end: int, least: Level
) -> tuple[list[tuple[LogLine, Level]], int | None]:
    """Return the lines in the range that are marked so; blocks without any are passed over unread.

    At most `MOST_LINES`; raises as `read_lines` does.
    """
    blocks = await list_blocks(resources.pool, job_id, attempt)
    found: list[tuple[LogLine, Level]] = []
    read_bytes, position = 0, first
    while position < end:
        skipped = _after_unmarked(blocks, position, least)
        if skipped > position:
            position = skipped
            continue
        until = min(end, position + MOST_LINES)
        lines, next_from = await read_lines(resources, job_id, attempt, position, until)
        found += [(line, level) for line in lines if (level := level_of(line)) >= least]
        read_bytes += sum(len(line.head) + len(line.tail) + line.omitted_bytes + _LINE_COST for line in lines)
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
