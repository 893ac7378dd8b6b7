"""The search over all logs: from which blocks may hold it to the lines that do, within a budget of time.

A search that runs out of it says how far it has come, and goes on from there when it is asked again.
"""

import time
from collections.abc import Sequence
from functools import partial
from typing import Final

import msgspec

from services.ingest.queries.rows import ListedBlock
from services.ingest.queries.search_logs import ReadSearchedJobsRow, read_blocks, read_searched_jobs
from services.ingest.search_blocks import BlockFilter, BlockSearch, Place, place_of
from services.ingest.search_desk import SearchDesk
from services.ingest.search_matches import BlockKey, BlockMatcher, Match, Wanted, key_of
from shared.db import Pool, query
from shared.errors import DatabaseUnavailableError
from shared.ids import JobId
from shared.logs.find_level import Level
from shared.queries.models import JobState

BUDGET_SECONDS: Final = 2.0

# Blocks that are read at once: few at first, because of a common word the newest ones hold enough.
_FIRST_GROUP: Final = 2
_MOST_GROUP: Final = 16


class JobFilter(msgspec.Struct, frozen=True, kw_only=True):
    """The logs of which jobs are searched; None, or no states: any."""

    pipeline_name: str | None = None
    branch: str | None = None
    states: Sequence[JobState] = ()
    job_key: str | None = None


class FoundLine(msgspec.Struct, frozen=True):
    """A line that is meant, and the job that printed it."""

    match: Match
    job: ReadSearchedJobsRow


class Found(msgspec.Struct, frozen=True):
    """Lines, newest first. The search goes on at `next_place`; None: everything has been searched."""

    lines: list[FoundLine]
    next_place: Place | None
    # Whether it ended for lack of time.
    cut_short: bool


class LogSearch:
    """One search. It is asked once."""

    def __init__(
        self,
        pool: Pool,
        desk: SearchDesk,
        *,
        blocks: BlockFilter,
        jobs: JobFilter,
        wanted: Wanted,
        place: Place | None,
    ) -> None:
        self._pool = pool
        self._desk = desk
        self._filter = jobs
        self._start = place
        # A block that was left in the middle is looked at again.
        begin = None if place is None else _before(place) if place.line_index else place
        self._blocks = BlockSearch(pool, blocks, begin)
        self._matcher = BlockMatcher(wanted)
        # Otherwise, all newer blocks that hold the words have been looked at when a block is.
        self._misses_newer = place is not None or wanted.least_level > Level.UNMARKED
        self._jobs: dict[JobId, ReadSearchedJobsRow | None] = {}
        self._deadline = time.monotonic() + BUDGET_SECONDS
        self._group = _FIRST_GROUP

    async def run(self, limit: int) -> Found:
        """Return at most so many lines. Raises `DatabaseUnavailableError`, unless something was found before."""
        lines: list[FoundLine] = []
        reached = self._start
        while not self._blocks.is_done:
            try:
                blocks = await self._blocks.next_blocks()
                jobs = await self._read_jobs(blocks)
                blocks = [block for block in blocks if block.job_id in jobs]
                while blocks:
                    group, blocks = blocks[: self._group], blocks[self._group :]
                    self._group = min(2 * self._group, _MOST_GROUP)
                    matches = await self._search(group, limit - len(lines))
                    lines += [FoundLine(match, jobs[match.block.job_id]) for match in matches]
                    if len(lines) == limit:
                        return Found(lines, place_of(matches[-1].block, matches[-1].index), cut_short=False)
                    reached = place_of(group[-1])
                    if time.monotonic() > self._deadline and (blocks or not self._blocks.is_done):
                        return Found(lines, reached, cut_short=True)
            except DatabaseUnavailableError:
                # A look took too long, or the database has gone: what was found before is true all the same.
                if not lines:
                    raise
                return Found(lines, reached, cut_short=True)
            reached = self._blocks.place
            if time.monotonic() > self._deadline and not self._blocks.is_done:
                return Found(lines, reached, cut_short=True)
        return Found(lines, None, cut_short=False)

    async def _search(self, group: Sequence[ListedBlock], most: int) -> list[Match]:
        keys = {key_of(block): block for block in group}
        if self._misses_newer:
            for block in group:
                following = (block.job_id, block.epoch, block.last_seq + 1)
                if not self._matcher.knows_head(following):
                    keys.setdefault(following, block)
        data = await self._read(keys)
        is_start = self._start is not None and key_of(group[0]) == _key_at(self._start)
        end = self._start.line_index if self._start is not None and is_start else None
        matches = await self._desk.work(partial(self._matcher.match, group, data, most=most, end=end))
        if lacking := self._matcher.take_lacking():
            # Seldom: a line was found whose end is in a block that has none of the words.
            beside = {(block.job_id, block.epoch, block.last_seq + 1): block for block in group}
            data |= await self._read({key: beside[key] for key in lacking})
            matches = await self._desk.work(partial(self._matcher.match, group, data, most=most, end=end))
        return matches

    async def _read(self, keys: dict[BlockKey, ListedBlock]) -> dict[BlockKey, bytes]:
        rows = await query(
            self._pool,
            partial(
                read_blocks,
                retentions=[block.retention for block in keys.values()],
                days=[block.day for block in keys.values()],
                job_ids=[key[0] for key in keys],
                epochs=[key[1] for key in keys],
                first_seqs=[key[2] for key in keys],
            ),
        )
        return {(row.job_id, row.epoch, row.first_seq): row.data for row in rows}

    async def _read_jobs(self, blocks: Sequence[ListedBlock]) -> dict[JobId, ReadSearchedJobsRow]:
        """Return the jobs of blocks, without those that the filter does not let pass, and those that are gone."""
        job_ids = {block.job_id for block in blocks}
        if unknown := job_ids - self._jobs.keys():
            wanted = self._filter
            rows = await query(
                self._pool,
                partial(
                    read_searched_jobs,
                    job_ids=list(unknown),
                    pipeline_name=wanted.pipeline_name,
                    branch=wanted.branch,
                    states=list(wanted.states),
                    job_key=wanted.job_key,
                ),
            )
            self._jobs.update(dict.fromkeys(unknown))
            self._jobs.update({row.job_id: row for row in rows})
        return {job_id: job for job_id in job_ids if (job := self._jobs[job_id]) is not None}


def _before(place: Place) -> Place:
    """Return the place right before a block."""
    return msgspec.structs.replace(place, first_seq=place.first_seq + 1, line_index=0)


def _key_at(place: Place) -> BlockKey:
    return place.job_id, place.epoch, place.first_seq
