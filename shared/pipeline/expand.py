"""The planner: what a pipeline does for one event."""

from collections.abc import Sequence
from typing import Final

import msgspec

from shared.job_spec import StepSpec
from shared.pipeline.definition import Job, Pipeline, Step, Task, Variables, When
from shared.pipeline.limits import DEFAULT_TIMEOUT_SECONDS
from shared.pipeline.match_glob import match_glob
from shared.pipeline.release import ReleaseRow, Skip, decide_release
from shared.pipeline.states import JobState, SkipReason

MANUAL: Final = "manual"
PUSH: Final = "push"

_STEP_NAME_CHARACTERS = 80
_SHOWN_PATTERNS = 10


class PlannedJob(msgspec.Struct, frozen=True):
    """A job of a run that is to be.

    `state` is what it starts in: ready, blocked (by `needs`), or skipped; then `skip` and `why`, a sentence,
    are set. `env` holds the file's variables and the job's. A step's own are in the step, to be laid over
    these: copied into each step, they could multiply to more than memory holds.
    """

    key: str
    name: str
    steps: tuple[StepSpec, ...]
    # A handler to call, instead of steps.
    task: Task | None
    env: Variables
    needs: tuple[str, ...]
    timeout_seconds: int
    state: JobState
    skip: SkipReason | None = None
    why: str | None = None


class Plan(msgspec.Struct, frozen=True):
    """The jobs, in the file's order; none, and a sentence why, if `on` does not match."""

    matched: bool
    why: str | None
    jobs: tuple[PlannedJob, ...]


def expand(pipeline: Pipeline, *, event: str, branch: str | None) -> Plan:
    """Plan a run for an event on a branch (None: a tag or a bare commit).

    `manual`, which also stands for a start over the API, matches whatever `on` says.
    """
    why = _explain_mismatch(pipeline, event, branch)
    if why is not None:
        return Plan(matched=False, why=why, jobs=())
    unmatched = {job.key: _explain_when(job.when, event, branch) for job in pipeline.jobs}
    rows = [
        ReleaseRow(job.key, JobState.SKIPPED if unmatched[job.key] else JobState.BLOCKED, job.needs)
        for job in pipeline.jobs
    ]
    decision = decide_release(rows)
    skips = {skip.job_id: skip for skip in decision.skip}
    ready = set(decision.ready)
    jobs = tuple(
        _plan_job(pipeline, job, unmatched[job.key], skips.get(job.key), job.key in ready) for job in pipeline.jobs
    )
    return Plan(matched=True, why=None, jobs=jobs)


def _plan_job(pipeline: Pipeline, job: Job, unmatched: str | None, skip: Skip[str] | None, ready: bool) -> PlannedJob:
    state, reason, why = (JobState.READY if ready else JobState.BLOCKED), None, None
    if unmatched:
        state, reason, why = JobState.SKIPPED, SkipReason.WHEN, unmatched
    elif skip:
        state, reason, why = JobState.SKIPPED, skip.reason, f"needs `{skip.because_of}`, which is skipped"
    return PlannedJob(
        key=job.key,
        name=job.key,
        steps=tuple(StepSpec(name=step.name or _name_step(step), run=step.run, env=step.env) for step in job.steps),
        task=job.task,
        env={**pipeline.env, **job.env},
        needs=job.needs,
        timeout_seconds=job.timeout_seconds or pipeline.defaults.timeout_seconds or DEFAULT_TIMEOUT_SECONDS,
        state=state,
        skip=reason,
        why=why,
    )


def _name_step(step: Step) -> str:
    line = step.run.strip().splitlines()[0]
    name = "".join(character if character.isprintable() else " " for character in line)
    return name if len(name) <= _STEP_NAME_CHARACTERS else name[: _STEP_NAME_CHARACTERS - 1] + "…"


def _explain_mismatch(pipeline: Pipeline, event: str, branch: str | None) -> str | None:
    push = pipeline.on.push
    if event == MANUAL:
        return None
    if event != PUSH or push is None:
        return f"`on` does not name the event `{event}`"
    if branch is None:
        return "`on.push` is for branches, and this push is not to one"
    return _explain_branch("on.push.branches", push.branches, branch)


def _explain_when(when: When, event: str, branch: str | None) -> str | None:
    if when.events is not None and event not in when.events:
        return f"`when.event` [{', '.join(when.events)}] does not match the event `{event}`"
    return _explain_branch("when.branch", when.branches, branch)


def _explain_branch(field: str, patterns: Sequence[str] | None, branch: str | None) -> str | None:
    if patterns is None:
        return None
    if branch is not None and any(match_glob(pattern, branch) for pattern in patterns):
        return None
    shown = [*patterns[:_SHOWN_PATTERNS], "…"] if len(patterns) > _SHOWN_PATTERNS else patterns
    target = f"branch `{branch}`" if branch is not None else "a commit on no branch"
    return f"`{field}` [{', '.join(shown)}] does not match {target}"
