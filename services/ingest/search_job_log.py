"""`GET /api/v1/jobs/{job}/log/search`: lines of one attempt that hold a text, or match a regular expression."""

import time
from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from itertools import accumulate
from typing import Annotated, Final

import msgspec
from litestar import get
from litestar.params import QueryParameter

from services.ingest.assemble_lines import LineAssembler, Lines
from services.ingest.authenticate import require_viewer
from services.ingest.find_attempt import AttemptParameter, find_attempt, find_kept_log
from services.ingest.problem_details import problem_responses
from services.ingest.read_chunks import read_page
from services.ingest.read_log import JobInPath
from services.ingest.read_log_states import AttemptLog
from services.ingest.resources import FromResources, Resources
from services.ingest.search_excerpt import Span, show_excerpt
from services.ingest.search_pattern import MOST_PATTERN, LinePattern, read_pattern
from services.ingest.seek_log import seek_line
from services.ingest.show_chunk import STREAM_NAMES
from shared.ids import JobId
from shared.logs.find_level import find_level
from shared.logs.stored_chunk import StoredChunk
from shared.logs.strip_ansi import plain_text

MOST_HITS: Final = 1000
_BUDGET_SECONDS: Final = 1.5
_BUDGET_BYTES: Final = 32 * 1024 * 1024
_MOST_LINE: Final = 2**62
# Pieces of a very long line share so many bytes: what stands where one ends is found in the next.
_OVERLAP: Final = 4096


class LogHit(msgspec.Struct, frozen=True):
    """A line that matches, and where.

    `text` is at most 1,000 characters of it, without control sequences, around the first match; `omitted_before` and
    `omitted_after` are how many are left out. `matches` are [start, end) in `text`, in characters (Unicode code
    points).
    """

    line: int
    step: int
    stream: str
    at: datetime
    level: str | None
    text: str
    matches: list[Span]
    omitted_before: int
    omitted_after: int


class LogHits(msgspec.Struct, frozen=True):
    """Lines in the order of their numbers. `next_after` is the `after_line` to go on with; null: that was all."""

    # Null: there is none yet.
    attempt: int | None
    total_lines: int
    # Whether the attempt is over, so that no line will be added.
    ended: bool
    hits: list[LogHit]
    next_after: int | None


@get(
    "/jobs/{job:str}/log/search",
    guards=[require_viewer],
    tags=["jobs"],
    responses=problem_responses(401, 403, 404, 410, 422, 503),
)
async def search_job_log(
    *,
    job: JobInPath,
    resources: FromResources,
    q: Annotated[
        str,
        QueryParameter(
            min_length=1,
            max_length=MOST_PATTERN,
            description="The text that the lines hold; with `regex`, a regular expression in the syntax of RE2.",
        ),
    ],
    regex: Annotated[bool, QueryParameter(description="Whether `q` is a regular expression.")] = False,
    case: Annotated[bool, QueryParameter(description="Whether upper and lower case are told apart.")] = False,
    attempt: AttemptParameter = None,
    after_line: Annotated[
        int | None,
        QueryParameter(ge=-1, le=_MOST_LINE, description="Only lines behind this one; the `next_after` of before."),
    ] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=MOST_HITS, description="How many lines at most.")] = 100,
) -> LogHits:
    """Search the lines of one attempt, live or finished, as they are by now.

    An answer may hold fewer lines than `limit`, or none, although `next_after` leads on: a look has its bounds.
    """
    pattern = read_pattern(q, regex=regex, case=case)
    chosen = await find_kept_log(resources.pool, job, attempt)
    if chosen is None:
        empty = await find_attempt(resources.pool, job, attempt)
        if empty is None:
            return LogHits(None, 0, ended=False, hits=[], next_after=None)
        return LogHits(empty.epoch, 0, ended=empty.ended, hits=[], next_after=None)
    search = _Search(pattern, -1 if after_line is None else after_line, limit)
    async with resources.search_desk.admit():
        next_after = await _run(resources, job, chosen, search)
    hits = [hit for _, hit in sorted(search.hits.items())]
    return LogHits(chosen.epoch, chosen.line_count, chosen.ended, hits, next_after)


async def _run(resources: Resources, job_id: JobId, attempt: AttemptLog, search: "_Search") -> int | None:
    """Search until all is done, or enough; returns behind which line to go on."""
    deadline = time.monotonic() + _BUDGET_SECONDS
    seq = await seek_line(resources.pool, job_id, attempt, search.after_line + 1)
    read_bytes = 0
    while seq < attempt.last_seq:
        page = await read_page(resources.pool, job_id, attempt, seq)
        chunks = [chunk for chunk in page.chunks if chunk.seq > seq]
        await resources.search_desk.work(partial(search.feed, chunks))
        seq = page.last_seq
        read_bytes += sum(len(chunk.data) for chunk in chunks)
        is_over_budget = read_bytes > _BUDGET_BYTES or time.monotonic() > deadline
        if seq < attempt.last_seq and (next_after := search.stop_at(is_over_budget=is_over_budget)) is not None:
            return next_after
    return await resources.search_desk.work(search.end)


class _Search:
    """What has been found so far; for a thread."""

    def __init__(self, pattern: LinePattern, after_line: int, limit: int) -> None:
        self.after_line = after_line
        self.hits: dict[int, LogHit] = {}
        self._pattern = pattern
        self._limit = limit
        self._assembler = LineAssembler(overlap=_OVERLAP)
        # The line that the next chunk begins with.
        self._next_line = 0
        # Of the hits, once they are more than asked for.
        self._highest = 0

    def feed(self, chunks: Sequence[StoredChunk]) -> None:
        """Search the lines that chunks complete."""
        self._search([lines for chunk in chunks for lines in self._assembler.feed(chunk)])
        if chunks:
            self._next_line = chunks[-1].first_line + len(chunks[-1].line_offsets_ms)

    def _finish(self) -> None:
        """Search the lines that have not ended."""
        self._search(self._assembler.finish())

    def stop_at(self, *, is_over_budget: bool) -> int | None:
        """Return behind which line to go on if that is enough for one answer; hits behind it are forgotten."""
        # A line that has begun before others and not ended may match yet.
        lowest_open = self._assembler.lowest_open()
        settled = self._next_line if lowest_open is None else lowest_open
        if sum(line < settled for line in self.hits) >= self._limit:
            return self._keep(self._limit)
        if not is_over_budget:
            return None
        if settled <= self.after_line + 1:
            # The line is longer than all that is searched at once: it is left, or there would be no getting on.
            self._finish()
            settled = self._next_line
        self.hits = {line: hit for line, hit in self.hits.items() if line < settled}
        return self._keep(self._limit) if len(self.hits) > self._limit else settled - 1

    def end(self) -> int | None:
        """Search the lines that have not ended; returns behind which line to go on if that finds too many."""
        self._finish()
        return self._keep(self._limit) if len(self.hits) > self._limit else None

    def _keep(self, count: int) -> int:
        """Forget all hits but the first ones, so many; returns the last of these."""
        self.hits = {line: self.hits[line] for line in sorted(self.hits)[:count]}
        return max(self.hits)

    def _search(self, found: Sequence[Lines]) -> None:
        # What has no number began before the lines that are searched.
        parts = [(lines, lines.first) for lines in found if lines.first is not None]
        if not parts:
            return
        data = [lines.data if lines.data.endswith(b"\n") else lines.data + b"\n" for lines, _ in parts]
        starts = list(accumulate((piece.count(b"\n") for piece in data), initial=0))
        text = plain_text(b"".join(data))
        index, counted = 0, 0
        for start, end, spans in self._pattern.find(text):
            index += text.count("\n", counted, start)
            counted = start
            place = bisect_right(starts, index) - 1
            lines, first = parts[place]
            number = first + index - starts[place]
            if number <= self.after_line or number in self.hits:
                continue
            # One more than is asked for tells that there are more.
            if len(self.hits) > self._limit:
                if number > self._highest:
                    continue
                self._keep(self._limit)
            self.hits[number] = _show(lines, number, text[start:end], spans)
            if len(self.hits) > self._limit:
                self._highest = max(self.hits)


def _show(lines: Lines, number: int, line: str, spans: list[Span]) -> LogHit:
    excerpt = show_excerpt(line.removesuffix("\r"), spans)
    level = find_level(line)
    return LogHit(
        line=number,
        step=lines.chunk.step,
        stream=STREAM_NAMES[lines.chunk.stream],
        at=lines.at(number),
        level=level.name.lower() if level else None,
        text=excerpt.text,
        matches=excerpt.matches,
        omitted_before=excerpt.omitted_before,
        omitted_after=excerpt.omitted_after,
    )
