"""Who follows which job's log: one indexed read for all of them tells whose log has grown, a second one what is new.

A NOTIFY says that some log grew, not which. Were every client to look for itself, a busy executor would cost as many
reads a second as there are clients; so one reader looks, reads what those want who wait at the ends, and wakes them.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Final

from services.ingest.feed_logs import Growth, LogFeeds
from services.ingest.keep_followers import Followers
from services.ingest.pace_looks import Pace
from services.ingest.read_log_states import LogState, read_states
from shared.db import Pool
from shared.ids import JobId
from shared.loop import Bell
from shared.queries.models import JobState

_WATCHED_SECONDS: Final = 1.0
_UNWATCHED_SECONDS: Final = 60.0
# After such a pause, what has been printed is looked for before anything else; of so few logs, that costs little.
_IDLE_SECONDS: Final = 0.02
_FEW: Final = 32
_ANY_SEQ: Final = 2**62

# Of a job that was deleted together with its pipeline: its stream ends.
GONE: Final = LogState(JobState.CANCELED, final=True, attempts=())


class CountingBell(Bell):
    """A bell that tells a ring from a pause that is over."""

    def __init__(self) -> None:
        super().__init__()
        self.rings = 0

    def ring(self, _about: str = "", /) -> None:
        """Wake the loop, now or as soon as it would wait."""
        self.rings += 1
        super().ring()


class LogWatch:
    """Wakes those who follow a log when there is more of it."""

    def __init__(self, pool: Pool, feeds: LogFeeds) -> None:
        self._pool = pool
        self._feeds = feeds
        self._pace = Pace()
        # Rung by NOTIFY, and by a new follower.
        self.bell = CountingBell()
        self._followers: Followers[JobId, LogState] = Followers(self.bell)
        self._rings_heard = 0

    def follow(self, job_id: JobId, bell: Bell) -> AbstractContextManager[None]:
        """Ring `bell` whenever the job's log has grown, for as long as the block lasts."""
        return self._followers.follow(job_id, bell)

    def state(self, job_id: JobId) -> LogState | None:
        """Return how far the log of a followed job was known to go, at the last look."""
        return self._followers.states.get(job_id)

    def ring_all(self) -> None:
        """Wake every follower: the process is asked to stop."""
        self._followers.ring_all()

    async def look(self) -> float:
        """Look once, for all followers; returns the seconds until the next look. A step of `run_loop`."""
        if not self._followers.keys():
            return _UNWATCHED_SECONDS
        if (early := self._pace.seconds_left()) > 0:
            return early
        is_rung, self._rings_heard = self.bell.rings != self._rings_heard, self.bell.rings
        is_idle = self._pace.seconds_left() < -_IDLE_SECONDS
        with self._pace.look():
            if is_rung and is_idle:
                await self._read_ends()
            watched = self._followers.keys()
            found = await read_states(self._pool, watched)
            changed = {
                job_id: state
                for job_id in watched
                if self._followers.states.get(job_id) != (state := found.get(job_id, GONE))
                and job_id in self._followers
            }
            await self._feeds.read_ahead(
                growth
                for job_id, state in changed.items()
                for growth in growths(job_id, self._followers.states.get(job_id), state)
            )
        for job_id, state in changed.items():
            self._followers.move(job_id, state)
        return _WATCHED_SECONDS

    async def _read_ends(self) -> None:
        """Read on at the ends of a few logs without asking first which of them have grown: a line comes sooner."""
        ends = [
            Growth(job_id, latest, latest.last_seq, _ANY_SEQ)
            for job_id, state in self._followers.states.items()
            if state.attempts and not (latest := state.attempts[-1]).ended
        ]
        if len(ends) <= _FEW:
            for job_id in await self._feeds.read_ahead(ends):
                self._followers.ring(job_id)


def growths(job_id: JobId, before: LogState | None, now: LogState) -> Iterator[Growth]:
    """Yield by what a log has grown; nothing if it is not known how far it went before."""
    if before is None:
        return
    for attempt in now.attempts:
        known = before.attempt(attempt.epoch)
        after_seq = 0 if known is None else known.last_seq
        if attempt.last_seq > after_seq:
            yield Growth(job_id, attempt, after_seq, attempt.last_seq)
