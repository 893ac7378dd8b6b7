"""`GET /api/v1/jobs/{job}/events`: one job as it moves: its states, its progress, then `end`.

A reader sees where the job stands, not every step on its way there: of what follows fast, the last is told. The id of
an event names what was told up to it, so that whoever comes back is not told it again.
"""

import re
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from litestar import Request, get
from litestar.params import QueryParameter
from litestar.response import Stream

from services.ingest.authenticate import FromActor, require_viewer
from services.ingest.find_job import Progress
from services.ingest.problem_details import bad_field, not_found, problem_responses
from services.ingest.read_log import JobInPath
from services.ingest.resources import FromResources, Resources
from services.ingest.send_events import Look, event_stream, follow, frame_event
from services.ingest.watch_jobs import SeenState, read_seen_states
from shared.ids import JobId
from shared.loop import Bell
from shared.queries.models import JobState

_FORM: Final = re.compile(r"([0-9]{1,10})-([a-z]{1,10})-([0-9]{1,17})", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class JobCursor(NamedTuple):
    """What a reader was told last: the attempt's epoch, the state, and when the progress was made, in µs; 0: none."""

    epoch: int
    state: str
    progress_at: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.state}-{self.progress_at}"


class JobMoved(msgspec.Struct, frozen=True):
    """The job is in another state, or begins another attempt."""

    state: JobState
    reason: str | None
    epoch: int
    attempts_used: int
    max_attempts: int
    # When it is to be started, if it is scheduled.
    run_at: datetime


class JobEnd(msgspec.Struct, frozen=True):
    """The job has ended, and there is nothing more to tell."""

    state: JobState


class JobReader:
    """Tells how a job moves on from what the reader knows."""

    def __init__(self, resources: Resources, job_id: JobId, state: SeenState, cursor: JobCursor | None) -> None:
        self._resources = resources
        self._job_id = job_id
        self._state = state
        self._cursor = cursor

    async def look(self) -> Look:
        """Return what is new."""
        watch = self._resources.job_watch
        if watch.is_gone(self._job_id):
            return Look(frame_event(JobEnd(self._state.state), name="end"), done=True)
        self._state = watch.state(self._job_id) or self._state
        events = self._tell(self._state)
        if not self._state.final:
            return Look(events)
        return Look(events + frame_event(JobEnd(self._state.state), name="end"), done=True)

    def _tell(self, now: SeenState) -> bytes:
        told, events = self._cursor, b""
        if told is None or (told.epoch, told.state) != (now.epoch, now.state):
            heard_until = told.progress_at if told is not None and told.epoch == now.epoch else 0
            told = JobCursor(now.epoch, now.state.value, heard_until)
            moved = JobMoved(now.state, now.reason, now.epoch, now.attempts_used, now.max_attempts, now.run_at)
            events += frame_event(moved, event_id=told, name="state")
        if now.progress is not None and _microseconds(now.progress) > told.progress_at:
            told = told._replace(progress_at=_microseconds(now.progress))
            events += frame_event(now.progress, event_id=told, name="progress")
        self._cursor = told
        return events


@get(
    "/jobs/{job:str}/events",
    guards=[require_viewer],
    tags=["streams"],
    media_type="text/event-stream",
    responses=problem_responses(401, 403, 404, 422, 503),
)
async def stream_job(
    *,
    request: Request[Any, Any, Any],
    job: JobInPath,
    resources: FromResources,
    actor: FromActor,
    after: Annotated[
        str | None, QueryParameter(description="What was told last; the header Last-Event-ID goes before it.")
    ] = None,
) -> Stream:
    """Stream how a job moves and what it says of its progress, until it ends, as server-sent events."""
    states = await read_seen_states(resources.pool, [job])
    if job not in states:
        raise not_found("job of that id")
    told = request.headers.get("last-event-id") or after
    reader = JobReader(resources, job, states[job], None if told is None else read_job_cursor(told))
    bell = Bell()
    return event_stream(
        follow(
            reader.look,
            bell=bell,
            watching=resources.job_watch.follow(job, bell),
            stop=resources.stop,
            still_allowed=partial(resources.tokens.holds, actor.token_id),
        )
    )


def read_job_cursor(text: str) -> JobCursor:
    """Return the cursor that `text` is. Raises `Problem`."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise bad_field("Last-Event-ID", "it is not the id of an event of this stream")
    return JobCursor(int(match[1]), match[2], int(match[3]))


def _microseconds(progress: Progress) -> int:
    since = progress.at - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
