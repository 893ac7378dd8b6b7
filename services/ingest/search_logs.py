"""`GET /api/v1/logs/search`: lines of the logs of all jobs, found by words, newest first."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from litestar import get
from litestar.params import QueryParameter

from services.ingest.authenticate import require_viewer
from services.ingest.page_cursor import read_cursor, write_cursor
from services.ingest.problem_details import bad_field, problem_responses
from services.ingest.queries.list_jobs import find_jobs_of_run
from services.ingest.queries.pipelines import get_pipeline
from services.ingest.read_level import LevelParameter, read_level
from services.ingest.resources import FromResources, Resources
from services.ingest.search_around import LineNumbers, read_lines_around
from services.ingest.search_blocks import BlockFilter, Place
from services.ingest.search_excerpt import Span
from services.ingest.search_hits import FoundLine, JobFilter, LogSearch
from services.ingest.search_matches import Wanted
from services.ingest.search_terms import MOST_QUERY, read_log_query
from services.ingest.search_text import UNKNOWN
from services.ingest.show_chunk import STREAM_NAMES
from shared.db import query
from shared.ids import JobId, PipelineId, RunId
from shared.logs.find_level import Level
from shared.logs.split_words import number_of
from shared.queries.models import JobState

MOST_HITS: Final = 200
MOST_CONTEXT: Final = 10
_MOST_FILTER: Final = 255


class NearLine(msgspec.Struct, frozen=True):
    """A line near a hit: the beginning of it."""

    line: int
    text: str


class SearchHit(msgspec.Struct, frozen=True):
    """A line that is meant, and whose it is.

    `text` is at most 1,000 characters of it, without control sequences, around the first match; `omitted_before` and
    `omitted_after` are how many are left out. `matches` are [start, end) in `text`, in characters (Unicode code
    points). `url` shows the line on the job's page.
    """

    job_id: JobId
    job_key: str
    job_state: JobState
    run_id: RunId | None
    run_number: int | None
    pipeline: str | None
    branch: str | None
    attempt: int
    # Number of the line, from 0, over all streams of the attempt.
    line: int
    step: int
    stream: str
    at: datetime
    level: str | None
    text: str
    matches: list[Span]
    omitted_before: int
    omitted_after: int
    before: list[NearLine]
    after: list[NearLine]
    url: str


class SearchPage(msgspec.Struct, frozen=True):
    """Hits, newest first. `next` is the `cursor` of what follows; null: everything has been searched.

    `cut_short`: the time for one answer was up before there were as many hits as asked for; `next` goes on.
    `searched_back_to`: nothing newer is left to find; null: everything has been searched.
    """

    hits: list[SearchHit]
    next: str | None
    cut_short: bool
    searched_back_to: datetime | None


class LogSearchOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What to search for: see the parameters of the call."""

    q: str
    pipeline: str | None = None
    branch: str | None = None
    states: Sequence[JobState] = ()
    run: RunId | None = None
    job_key: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    level: Level = Level.UNMARKED
    context: int = 0
    limit: int = 50
    cursor: str | None = None


Text = Annotated[str | None, QueryParameter(max_length=_MOST_FILTER)]


@get("/logs/search", guards=[require_viewer], tags=["logs"], responses=problem_responses(401, 403, 422, 503))
async def show_found_logs(
    *,
    resources: FromResources,
    q: Annotated[
        str,
        QueryParameter(
            max_length=MOST_QUERY,
            description='Words that a line has, "phrases" and -exclusions, in any case.',
        ),
    ],
    pipeline: Annotated[str | None, QueryParameter(max_length=_MOST_FILTER, description="Its name.")] = None,
    branch: Text = None,
    job_state: Annotated[
        list[JobState] | None,
        QueryParameter(name="state", description="Only logs of jobs that are in this state; may be repeated."),
    ] = None,
    run: Annotated[RunId | None, QueryParameter(description="Only logs of this run.")] = None,
    job_key: Annotated[
        str | None, QueryParameter(max_length=_MOST_FILTER, description="The job's name in its pipeline.")
    ] = None,
    since: Annotated[datetime | None, QueryParameter(description="Inclusive.")] = None,
    until: Annotated[datetime | None, QueryParameter(description="Exclusive.")] = None,
    level: LevelParameter = None,
    context: Annotated[
        int, QueryParameter(ge=0, le=MOST_CONTEXT, description="How many lines to show before and after each.")
    ] = 0,
    limit: Annotated[int, QueryParameter(ge=1, le=MOST_HITS, description="How many hits at most.")] = 50,
    cursor: Annotated[str | None, QueryParameter(description="The `next` of the answer before.")] = None,
) -> SearchPage:
    """Search the logs of ended jobs, newest first.

    A log is found a moment after its job has ended. While it runs, `GET /api/v1/jobs/{job}/log/search` searches it.
    """
    order = LogSearchOrder(
        q=q,
        pipeline=pipeline,
        branch=branch,
        states=tuple(dict.fromkeys(job_state or ())),
        run=run,
        job_key=job_key,
        since=since,
        until=until,
        level=read_level(level),
        context=context,
        limit=limit,
        cursor=cursor,
    )
    return await search_logs(resources, order)


async def search_logs(resources: Resources, order: LogSearchOrder) -> SearchPage:
    """Search the logs of ended jobs. Raises `Problem` and `DatabaseUnavailableError`."""
    wanted = Wanted(
        query=read_log_query(order.q),
        least_level=order.level,
        since=_with_zone("since", order.since),
        until=_with_zone("until", order.until),
        context=order.context,
    )
    for field, text in (("pipeline", order.pipeline), ("branch", order.branch), ("job_key", order.job_key)):
        if text is not None and "\0" in text:
            raise bad_field(field, "its text holds NUL")
    place = None if order.cursor is None else read_cursor(order.cursor, Place)
    pipeline_id = await _find_pipeline(resources, order.pipeline)
    if order.pipeline is not None and pipeline_id is None:
        return SearchPage([], None, cut_short=False, searched_back_to=None)
    search = LogSearch(
        resources.pool,
        resources.search_desk,
        blocks=BlockFilter(
            words=[number_of(word) for word in wanted.query.words()],
            pipeline_id=pipeline_id,
            job_ids=await _find_jobs(resources, order.run),
            since=wanted.since,
            until=wanted.until,
            least_level=wanted.least_level,
        ),
        jobs=JobFilter(pipeline_name=order.pipeline, branch=order.branch, states=order.states, job_key=order.job_key),
        wanted=wanted,
        place=place,
    )
    async with resources.search_desk.admit():
        found = await search.run(order.limit)
        hits = await _show(resources, found.lines, order.context)
    next_place = found.next_place
    return SearchPage(
        hits,
        None if next_place is None else write_cursor(next_place),
        cut_short=found.cut_short,
        searched_back_to=None if next_place is None else next_place.at,
    )


async def _find_pipeline(resources: Resources, name: str | None) -> PipelineId | None:
    if name is None:
        return None
    found = await query(resources.pool, lambda connection: get_pipeline(connection, name=name))
    return None if found is None else found.pipeline_id


async def _find_jobs(resources: Resources, run_id: RunId | None) -> list[JobId] | None:
    if run_id is None:
        return None
    return await query(resources.pool, lambda connection: find_jobs_of_run(connection, run_id=run_id))


async def _show(resources: Resources, found: Sequence[FoundLine], context: int) -> list[SearchHit]:
    numbered: list[FoundLine] = []
    seen: set[tuple[Any, ...]] = set()
    numbers = LineNumbers(resources.pool)
    for line in found:
        match = line.match
        if match.line == UNKNOWN:
            match = msgspec.structs.replace(match, line=await numbers.find(match))
        # Pieces of a very long line may all be meant.
        key = (match.block.job_id, match.block.epoch, match.line)
        if key not in seen:
            seen.add(key)
            numbered.append(FoundLine(match, line.job))
    if not context:
        return [_show_one(line, {}) for line in numbered]
    around = await read_lines_around(resources.pool, [line.match for line in numbered], context)
    return [_show_one(line, near) for line, near in zip(numbered, around, strict=True)]


def _show_one(found: FoundLine, around: dict[int, str]) -> SearchHit:
    match, job = found.match, found.job
    return SearchHit(
        job_id=job.job_id,
        job_key=job.job_key,
        job_state=job.state,
        run_id=job.run_id,
        run_number=job.run_number,
        pipeline=job.pipeline_name,
        branch=job.branch,
        attempt=match.block.epoch,
        line=match.line,
        step=match.step,
        stream=STREAM_NAMES[match.stream],
        at=match.at,
        level=match.level.name.lower() if match.level else None,
        text=match.excerpt.text,
        matches=match.excerpt.matches,
        omitted_before=match.excerpt.omitted_before,
        omitted_after=match.excerpt.omitted_after,
        before=[NearLine(number, text) for number, text in around.items() if number < match.line],
        after=[NearLine(number, text) for number, text in around.items() if number > match.line],
        # The page counts from 1.
        url=f"/jobs/{job.job_id}?attempt={match.block.epoch}#L{match.line + 1}",
    )


def _with_zone(field: str, at: datetime | None) -> datetime | None:
    if at is not None and at.tzinfo is None:
        raise bad_field(field, "it has no time zone: write it as 2026-11-25T12:00:00Z")
    return at
