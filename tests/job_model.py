"""What jobs on their own should do, in plain Python: written from the design, not from the SQL that it is held against.

Time is a number of seconds that only `advance` moves. Rows that one statement stamps alike have the same place in any
order; where the order decides, the model says which sets of jobs would be right.
"""

from dataclasses import dataclass, field
from uuid import UUID

from shared.queries.models import AttemptOutcome, JobState

MAX_LOSSES = 3
MAX_REDRIVES = 2
WAITING = {JobState.BLOCKED, JobState.SCHEDULED, JobState.READY}
UNSUCCESSFUL = {JobState.FAILED, JobState.DEAD, JobState.CANCELED}
FINAL = UNSUCCESSFUL | {JobState.SUCCEEDED}
# Ends that say nothing about the job: they do not count against max_attempts.
FREE = {AttemptOutcome.HANDED_BACK, AttemptOutcome.CANCELED, AttemptOutcome.SNOOZED}
SECONDS_PER_PRIORITY = 60

Moment = tuple[int, int]
Order = tuple[int, int, int]


@dataclass
class NewJob:
    """What a producer asks for."""

    job_type: str
    queue: str
    payload: int
    priority: int = 0
    delay_seconds: int = 0
    max_attempts: int = 1
    limit: str | None = None
    key: str | None = None
    key_seconds: int = 0


@dataclass
class ModelJob:
    """A job as it should be in the books."""

    asked: NewJob
    state: JobState
    reason: str | None
    due: Moment
    order: Order
    epoch: int = 0
    attempts_used: int = 0
    losses: int = 0
    redrives: int = 0
    is_flagged: bool = False
    executor_id: UUID | None = None
    outcomes: dict[int, AttemptOutcome | None] = field(default_factory=dict)

    @property
    def lane(self) -> tuple[str, str]:
        return self.asked.queue, self.asked.job_type


@dataclass
class Limit:
    """What a concurrency key allows, and when its jobs were released."""

    max_running: int
    rate_count: int | None = None
    rate_seconds: int = 0
    released_at: list[int] = field(default_factory=list)

    def rate_left(self, now: int) -> int:
        if self.rate_count is None:
            return 10**9
        return self.rate_count - sum(at > now - self.rate_seconds for at in self.released_at)


@dataclass
class Key:
    """An idempotency key in use."""

    job_id: UUID
    queue: str
    payload: int
    expires_at: int


class KeyTakenError(Exception):
    """The same key, with another payload or queue."""


class JobModel:
    """All jobs, and what is said about queues, limits and executors."""

    def __init__(self, limits: dict[str, Limit]) -> None:
        self.now = 0
        self._stamps = 0
        self.jobs: dict[UUID, ModelJob] = {}
        self.limits = limits
        self.keys: dict[tuple[str, str], Key] = {}
        self.paused: set[str] = set()

    def advance(self, seconds: int) -> None:
        self.now += seconds

    def in_state(self, *states: JobState) -> list[UUID]:
        return [job_id for job_id, job in self.jobs.items() if job.state in states]

    # --- entering

    def enqueue(self, asked: list[NewJob]) -> list[UUID | int | None]:
        """What each job leads to: an earlier job, the place of an earlier one in this call, or (None) a new one."""
        led_to: list[UUID | int | None] = []
        in_call: dict[tuple[str, str], int] = {}
        for place, new in enumerate(asked):
            name = (new.job_type, new.key or "")
            known = self.keys.get(name)
            if new.key is None:
                led_to.append(None)
            elif known is not None and known.expires_at > self.now:
                if (known.queue, known.payload) != (new.queue, new.payload):
                    raise KeyTakenError
                led_to.append(known.job_id)
            elif name in in_call:
                first = asked[in_call[name]]
                if (first.queue, first.payload) != (new.queue, new.payload):
                    raise KeyTakenError
                led_to.append(in_call[name])
            else:
                in_call[name] = place
                led_to.append(None)
        return led_to

    def add(self, asked: list[NewJob], made: dict[int, UUID]) -> None:
        """Take over the jobs that one call has made, by place."""
        self._stamps += 1
        for place, job_id in made.items():
            new = asked[place]
            due = (self.now + new.delay_seconds, self._stamps)
            job = ModelJob(new, JobState.READY, None, due, self._order(due, new.priority, place))
            if new.delay_seconds:
                job.state, job.reason = JobState.SCHEDULED, "asked"
            elif new.limit is not None:
                job.state, job.reason = JobState.BLOCKED, "limit"
            self.jobs[job_id] = job
            if new.key is not None:
                expires_at = self.now + new.key_seconds
                self.keys[new.job_type, new.key] = Key(job_id, new.queue, new.payload, expires_at)
            if new.limit is not None:
                self.limits.setdefault(new.limit, Limit(1))

    # --- waiting

    def due(self) -> list[UUID]:
        """Scheduled jobs whose time has come."""
        return [job_id for job_id in self.in_state(JobState.SCHEDULED) if self.jobs[job_id].due[0] <= self.now]

    def promote(self, job_id: UUID) -> None:
        self._let_in(self.jobs[job_id])

    def room(self, limit: str) -> int:
        """How many jobs of a limit may be released now."""
        busy = sum(
            job.asked.limit == limit and job.state in {JobState.READY, JobState.RUNNING} for job in self.jobs.values()
        )
        return max(0, min(self.limits[limit].max_running - busy, self.limits[limit].rate_left(self.now)))

    def release(self, job_id: UUID) -> None:
        job = self.jobs[job_id]
        job.state, job.reason = JobState.READY, None
        self.limits[job.asked.limit or ""].released_at.append(self.now)

    # --- running

    def claimable(self, queues: set[str], job_types: set[str]) -> dict[tuple[str, str], list[UUID]]:
        """Ready jobs by lane, of the lanes that one executor serves."""
        lanes: dict[tuple[str, str], list[UUID]] = {}
        for job_id in self.in_state(JobState.READY):
            queue, job_type = lane = self.jobs[job_id].lane
            if queue in queues - self.paused and job_type in job_types:
                lanes.setdefault(lane, []).append(job_id)
        return lanes

    def claim(self, job_id: UUID, executor_id: UUID) -> None:
        job = self.jobs[job_id]
        job.state, job.reason, job.executor_id = JobState.RUNNING, None, executor_id
        job.epoch += 1
        job.outcomes[job.epoch] = None

    def end(self, job_ids: list[UUID], outcome: AttemptOutcome, retry_in_seconds: int, reason: str = "") -> None:
        """End the newest attempts of jobs that run, in one statement. Retry below 0: not retryable."""
        self._stamps += 1
        for job_id in job_ids:
            job = self.jobs[job_id]
            job.outcomes[job.epoch] = outcome
            job.attempts_used += outcome not in FREE
            if outcome is AttemptOutcome.SUCCEEDED:
                job.state, job.reason = JobState.SUCCEEDED, None
            elif outcome is AttemptOutcome.CANCELED or job.is_flagged:
                job.state, job.reason = JobState.CANCELED, "canceled"
            elif outcome is AttemptOutcome.HANDED_BACK:
                job.state, job.reason = JobState.READY, None
            elif outcome is AttemptOutcome.SNOOZED:
                self._put_off(job, "snooze", retry_in_seconds)
            elif retry_in_seconds < 0:
                job.state, job.reason = JobState.FAILED, reason or outcome
            elif job.attempts_used < job.asked.max_attempts:
                self._put_off(job, "retry", retry_in_seconds)
            else:
                job.state, job.reason = JobState.DEAD, reason or outcome

    def lose(self, executor_id: UUID) -> None:
        """Its executor is lost, and all of its jobs have been rescued."""
        for job in self.jobs.values():
            if job.state is JobState.RUNNING and job.executor_id == executor_id:
                job.outcomes[job.epoch] = AttemptOutcome.LOST
                job.losses += 1
                job.reason = "lost"
                job.state = JobState.READY if job.losses < MAX_LOSSES else JobState.DEAD
                if job.is_flagged:
                    job.state, job.reason = JobState.CANCELED, "canceled"

    # --- commands

    def cancel(self, job_ids: list[UUID]) -> None:
        for job_id in job_ids:
            job = self.jobs[job_id]
            if job.state in WAITING:
                job.state, job.reason, job.is_flagged = JobState.CANCELED, "canceled", True
            elif job.state is JobState.RUNNING:
                job.is_flagged = True

    def redrive(self, job_ids: list[UUID]) -> None:
        self._stamps += 1
        for job_id in job_ids:
            job = self.jobs[job_id]
            if job.state in UNSUCCESSFUL and job.redrives < MAX_REDRIVES:
                job.redrives += 1
                job.attempts_used = job.losses = 0
                job.is_flagged = False
                job.due = (self.now, self._stamps)
                job.order = self._order(job.due, job.asked.priority)
                self._let_in(job)

    def discard(self, job_ids: list[UUID]) -> None:
        for job_id in job_ids:
            job = self.jobs[job_id]
            if job.state is JobState.DEAD:
                job.state, job.reason = JobState.FAILED, "discarded"

    def _let_in(self, job: ModelJob) -> None:
        is_limited = job.asked.limit is not None
        job.state, job.reason = (JobState.BLOCKED, "limit") if is_limited else (JobState.READY, None)

    def _put_off(self, job: ModelJob, reason: str, seconds: int) -> None:
        job.state, job.reason = JobState.SCHEDULED, reason
        job.due = (self.now + seconds, self._stamps)
        job.order = self._order(job.due, job.asked.priority)

    @staticmethod
    def _order(due: Moment, priority: int, place: int = 0) -> Order:
        return due[0] - priority * SECONDS_PER_PRIORITY, due[1], place
