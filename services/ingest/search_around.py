"""What the block of a hit does not tell: lines around it in the blocks beside it, and the number of a long line."""

from collections.abc import Sequence
from typing import Final

from services.ingest.pick_lines import LinePicker
from services.ingest.read_chunks import read_page
from services.ingest.read_log_states import AttemptLog, read_states
from services.ingest.search_excerpt import show_context
from services.ingest.search_matches import Match
from services.ingest.search_text import UNKNOWN
from services.ingest.seek_log import seek_line
from shared.db import Pool
from shared.ids import JobId
from shared.logs.strip_ansi import plain_text

# So far a line is followed back to where it began: 64 MiB.
_MOST_PAGES_BACK: Final = 256
# Of neighbouring lines, for each hit.
_MOST_PAGES: Final = 4


class LineNumbers:
    """Finds the numbers of lines that began in earlier blocks. A line may have a match in each of its many blocks."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        # Of an attempt's stream: a line goes on behind the first chunk, up to the second, and has the number.
        self._known: dict[tuple[JobId, int, int], tuple[int, int, int]] = {}

    async def find(self, match: Match) -> int:
        """Return the number of the line. Raises `DatabaseUnavailableError`."""
        block = match.block
        key = (block.job_id, block.epoch, match.stream)
        begun, seen, number = self._known.get(key, (0, 0, 0))
        if not begun < block.first_seq <= seen:
            begun, number = await self._follow_back(match)
            self._known[key] = (begun, block.first_seq, number)
        return number

    async def _follow_back(self, match: Match) -> tuple[int, int]:
        """Return in which chunk the line began, and its number; where that is not found, how far it was looked for."""
        block = match.block
        attempt = (await _read_attempts(self._pool, [match])).get((block.job_id, block.epoch))
        seq = block.first_seq - 1
        for _ in range(_MOST_PAGES_BACK):
            if attempt is None or seq < 1:
                break
            page = await read_page(self._pool, block.job_id, attempt, seq - 1)
            for chunk in reversed(page.chunks):
                if chunk.seq <= seq and chunk.stream == match.stream and chunk.line_offsets_ms:
                    return chunk.seq, chunk.first_line + len(chunk.line_offsets_ms) - 1
            if not page.chunks:
                break
            seq = page.after_seq
        return seq, 0


async def read_lines_around(pool: Pool, matches: Sequence[Match], count: int) -> list[dict[int, str]]:
    """Return, for each match, so many lines on each side by their numbers. Raises `DatabaseUnavailableError`."""
    lacking = [_lacking(match, count) for match in matches]
    attempts = await _read_attempts(pool, [match for match, numbers in zip(matches, lacking, strict=True) if numbers])
    around: list[dict[int, str]] = []
    for match, numbers in zip(matches, lacking, strict=True):
        attempt = attempts.get((match.block.job_id, match.block.epoch))
        shown = dict(match.around)
        if attempt is not None:
            # Those in front of the hit, and those behind it.
            for side in (
                [number for number in numbers if number < match.line],
                [number for number in numbers if match.line < number < attempt.line_count],
            ):
                if side:
                    shown |= await _read_lines(pool, match.block.job_id, attempt, side[0], side[-1] + 1)
        around.append(dict(sorted(shown.items())))
    return around


def _lacking(match: Match, count: int) -> list[int]:
    if match.line == UNKNOWN:
        return []
    wanted = range(max(0, match.line - count), match.line + count + 1)
    return [number for number in wanted if number != match.line and number not in match.around]


async def _read_attempts(pool: Pool, matches: Sequence[Match]) -> dict[tuple[JobId, int], AttemptLog]:
    if not matches:
        return {}
    states = await read_states(pool, list({match.block.job_id for match in matches}))
    return {(job_id, attempt.epoch): attempt for job_id, state in states.items() for attempt in state.attempts}


async def _read_lines(pool: Pool, job_id: JobId, attempt: AttemptLog, first: int, end: int) -> dict[int, str]:
    picker = LinePicker(first, end)
    seq = await seek_line(pool, job_id, attempt, first)
    for _ in range(_MOST_PAGES):
        if seq >= attempt.last_seq or picker.is_done():
            break
        page = await read_page(pool, job_id, attempt, seq)
        for chunk in page.chunks:
            if chunk.seq > seq:
                picker.feed(chunk)
        seq = page.last_seq
    return {line.number: show_context(plain_text(line.head)) for line in picker.take()}
