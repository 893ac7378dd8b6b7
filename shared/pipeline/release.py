"""What the states of a run's jobs entail: which become ready, which are skipped, how the run ends."""

from collections import deque
from collections.abc import Hashable, Iterable
from typing import Final, Generic, TypeVar

import msgspec

from shared.pipeline.states import FINAL_JOB_STATES, JobState, RunState, SkipReason

K = TypeVar("K", bound=Hashable)

# What a job's end means for those that need it; success alone lets them start.
_REASONS: Final = {
    JobState.FAILED: SkipReason.NEED_FAILED,
    JobState.DEAD: SkipReason.NEED_FAILED,
    JobState.CANCELED: SkipReason.NEED_CANCELED,
    JobState.SKIPPED: SkipReason.NEED_SKIPPED,
}


class ReleaseRow(msgspec.Struct, Generic[K], frozen=True):
    """A job of the run, the plan job excepted, as it stands while the run's row is locked."""

    job_id: K
    state: JobState
    needs: tuple[K, ...] = ()


class Skip(msgspec.Struct, Generic[K], frozen=True):
    """A blocked job that will never start, and the need that is why."""

    job_id: K
    reason: SkipReason
    because_of: K


class ReleaseDecision(msgspec.Struct, Generic[K], frozen=True):
    """Transitions to make, in the order of the rows; `run_state` is the run's end, if they are its end.

    Both lists hold blocked jobs only. Under the run's lock nobody else moves those, so the run's end is certain.
    """

    ready: tuple[K, ...]
    skip: tuple[Skip[K], ...]
    run_state: RunState | None


def decide_release(jobs: Iterable[ReleaseRow[K]]) -> ReleaseDecision[K]:
    """Decide for all jobs of one run; takes time in proportion to its jobs and needs.

    A job becomes ready when all that it needs have succeeded. It is skipped as soon as one of them ended
    otherwise, and so is all that needs it in turn. Once that is applied, the same call decides nothing more.
    Raises `ValueError` if a job needs one that is not among the rows.
    """
    rows = {row.job_id: row for row in jobs}
    states = {job_id: row.state for job_id, row in rows.items()}
    dependents = _list_dependents(rows)

    skips = _cascade_skips(states, dependents)
    states.update(dict.fromkeys(skips, JobState.SKIPPED))
    ready = tuple(
        job_id
        for job_id, row in rows.items()
        if states[job_id] is JobState.BLOCKED and all(states[need] is JobState.SUCCEEDED for need in row.needs)
    )
    return ReleaseDecision(
        ready=ready,
        skip=tuple(skips[job_id] for job_id in rows if job_id in skips),
        run_state=_end_run(set(states.values())),
    )


def _list_dependents(rows: dict[K, ReleaseRow[K]]) -> dict[K, list[K]]:
    dependents: dict[K, list[K]] = {job_id: [] for job_id in rows}
    for job_id, row in rows.items():
        for need in row.needs:
            if need not in dependents:
                raise ValueError(f"job {job_id} needs {need}, which is not a job of its run")
            dependents[need].append(job_id)
    return dependents


def _cascade_skips(states: dict[K, JobState], dependents: dict[K, list[K]]) -> dict[K, Skip[K]]:
    """Return the skips that unsuccessful ends entail; failures come first, to be the reason given."""
    skips: dict[K, Skip[K]] = {}
    ended = deque((job_id, reason) for end, reason in _REASONS.items() for job_id in _in_state(states, end))
    while ended:
        job_id, reason = ended.popleft()
        for dependent in dependents[job_id]:
            if states[dependent] is JobState.BLOCKED and dependent not in skips:
                skips[dependent] = Skip(dependent, reason, job_id)
                ended.append((dependent, SkipReason.NEED_SKIPPED))
    return skips


def _in_state(states: dict[K, JobState], state: JobState) -> list[K]:
    return [job_id for job_id, its_state in states.items() if its_state is state]


def _end_run(states: set[JobState]) -> RunState | None:
    """Return the run's end from the states that its jobs are in; a run without jobs has nothing to do."""
    if not states <= FINAL_JOB_STATES:
        return None
    if states & {JobState.FAILED, JobState.DEAD}:
        return RunState.FAILED
    if JobState.CANCELED in states:
        return RunState.CANCELED
    return RunState.SUCCEEDED if JobState.SUCCEEDED in states else RunState.SKIPPED
