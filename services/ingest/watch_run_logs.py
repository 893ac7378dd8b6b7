"""Who follows the logs of which run: one read for all of them tells which jobs there are, and whose log has grown."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Final

import msgspec

from services.ingest.feed_logs import LogFeeds
from services.ingest.keep_followers import Followers
from services.ingest.pace_looks import Pace
from services.ingest.queries.logs import ReadRunLogStatesRow, read_run_log_states
from services.ingest.read_log_states import LogState, log_state
from services.ingest.show_chunk import ChunkJob
from services.ingest.watch_logs import growths
from shared.db import Pool, query
from shared.ids import JobId, RunId
from shared.loop import Bell
from shared.queries.models import RunState

_WATCHED_SECONDS: Final = 1.0
_UNWATCHED_SECONDS: Final = 60.0


class JobLog(msgspec.Struct, frozen=True):
    """A job of a run, and how far its log goes."""

    job: ChunkJob
    log: LogState


class RunLogs(msgspec.Struct, frozen=True):
    """The jobs of a run, in an order that stays when there come more. `final`: the run has ended."""

    state: RunState
    final: bool
    jobs: tuple[JobLog, ...]


# Of a run that was deleted together with its pipeline: its stream ends.
_GONE: Final = RunLogs(RunState.CANCELED, final=True, jobs=())


class RunLogWatch:
    """Wakes those who follow the logs of a run when there is more of them."""

    def __init__(self, pool: Pool, feeds: LogFeeds) -> None:
        self._pool = pool
        self._feeds = feeds
        self._pace = Pace()
        # Rung by NOTIFY, and by a new follower.
        self.bell = Bell()
        self._followers: Followers[RunId, RunLogs] = Followers(self.bell)

    def follow(self, run_id: RunId, bell: Bell) -> AbstractContextManager[None]:
        """Ring `bell` whenever a log of the run has grown, for as long as the block lasts."""
        return self._followers.follow(run_id, bell)

    def logs(self, run_id: RunId) -> RunLogs | None:
        """Return how far the logs of a followed run were known to go, at the last look."""
        return self._followers.states.get(run_id)

    def ring_all(self) -> None:
        """Wake every follower: the process is asked to stop."""
        self._followers.ring_all()

    async def look(self) -> float:
        """Look once, for all followers; returns the seconds until the next look. A step of `run_loop`."""
        watched = self._followers.keys()
        if not watched:
            return _UNWATCHED_SECONDS
        if (early := self._pace.seconds_left()) > 0:
            return early
        with self._pace.look():
            found = await read_run_logs(self._pool, watched)
            changed = {
                run_id: run
                for run_id in watched
                if self._followers.states.get(run_id) != (run := found.get(run_id, _GONE)) and run_id in self._followers
            }
            before = {job_id: log for run_id in changed for job_id, log in _logs(self._followers.states.get(run_id))}
            await self._feeds.read_ahead(
                growth
                for run in changed.values()
                for job_id, log in _logs(run)
                for growth in growths(job_id, before.get(job_id), log)
            )
        for run_id, run in changed.items():
            self._followers.move(run_id, run)
        return _WATCHED_SECONDS


def _logs(run: RunLogs | None) -> Iterator[tuple[JobId, LogState]]:
    for known in run.jobs if run is not None else ():
        yield known.job.job_id, known.log


async def read_run_logs(pool: Pool, run_ids: list[RunId]) -> dict[RunId, RunLogs]:
    """Return how far the logs of runs go now; unknown runs are left out. Raises `DatabaseUnavailableError`."""
    rows = await query(pool, lambda connection: read_run_log_states(connection, run_ids=run_ids))
    grouped: dict[RunId, dict[JobId, list[ReadRunLogStatesRow]]] = {}
    for row in rows:
        grouped.setdefault(row.run_id, {}).setdefault(row.job_id, []).append(row)
    return {run_id: _run_logs(run_id, list(jobs.values())) for run_id, jobs in grouped.items()}


def _run_logs(run_id: RunId, jobs: list[list[ReadRunLogStatesRow]]) -> RunLogs:
    first = jobs[0][0]
    logs = tuple(JobLog(ChunkJob(own[0].job_id, own[0].job_key, run_id), log_state(own)) for own in jobs)
    return RunLogs(first.run_state, first.run_final, logs)
