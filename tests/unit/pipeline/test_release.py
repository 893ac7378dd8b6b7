"""The release of a run's jobs: nothing starts before what it needs has succeeded, and every run ends."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.pipeline.release import ReleaseDecision, ReleaseRow, Skip, decide_release
from shared.pipeline.states import FINAL_JOB_STATES, JobState, RunState, SkipReason

Rows = list[ReleaseRow[int]]

_ENDS = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELED)


def _row(job_id: int, state: str, *needs: int) -> ReleaseRow[int]:
    return ReleaseRow(job_id, JobState(state), needs)


def _apply(rows: Rows, decision: ReleaseDecision[int]) -> Rows:
    """Make the decided transitions, each from blocked, as the database does."""
    states = dict.fromkeys(decision.ready, JobState.READY)
    states |= {skip.job_id: JobState.SKIPPED for skip in decision.skip}
    assert all(row.state is JobState.BLOCKED for row in rows if row.job_id in states)
    return [msgspec.structs.replace(row, state=states.get(row.job_id, row.state)) for row in rows]


def test_a_job_is_released_when_all_that_it_needs_have_succeeded() -> None:
    rows = [_row(1, "succeeded"), _row(2, "running"), _row(3, "blocked", 1), _row(4, "blocked", 1, 2)]
    assert decide_release(rows) == ReleaseDecision(ready=(3,), skip=(), run_state=None)


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ("failed", SkipReason.NEED_FAILED),
        ("dead", SkipReason.NEED_FAILED),
        ("canceled", SkipReason.NEED_CANCELED),
        ("skipped", SkipReason.NEED_SKIPPED),
    ],
)
def test_an_end_without_success_skips_all_that_follows_in_one_call(end: str, reason: SkipReason) -> None:
    rows = [_row(3, "blocked", 2), _row(2, "blocked", 1), _row(1, end), _row(4, "running")]
    assert decide_release(rows).skip == (Skip(3, SkipReason.NEED_SKIPPED, 2), Skip(2, reason, 1))


def test_a_failure_is_the_reason_given_before_other_ends() -> None:
    rows = [_row(1, "skipped"), _row(2, "canceled"), _row(3, "failed"), _row(4, "blocked", 1, 2, 3)]
    assert decide_release(rows).skip == (Skip(4, SkipReason.NEED_FAILED, 3),)


@pytest.mark.parametrize("state", ["scheduled", "ready", "running"])
def test_only_blocked_jobs_are_moved(state: str) -> None:
    rows = [_row(1, "failed"), _row(2, state, 1)]
    assert decide_release(rows) == ReleaseDecision(ready=(), skip=(), run_state=None)


@pytest.mark.parametrize(
    ("states", "end"),
    [
        (["succeeded", "skipped"], RunState.SUCCEEDED),
        (["succeeded", "canceled", "failed", "skipped"], RunState.FAILED),
        (["succeeded", "dead"], RunState.FAILED),
        (["succeeded", "canceled", "skipped"], RunState.CANCELED),
        (["skipped", "skipped"], RunState.SKIPPED),
        (["succeeded", "running"], None),
        (["failed", "ready"], None),
        (["canceled", "scheduled"], None),
        ([], RunState.SKIPPED),
    ],
)
def test_a_run_ends_when_all_its_jobs_have_and_as_the_worst_of_them(states: list[str], end: RunState | None) -> None:
    assert decide_release([_row(i, state) for i, state in enumerate(states)]).run_state is end


def test_a_need_outside_the_run_is_an_error() -> None:
    with pytest.raises(ValueError, match="job 1 needs 9"):
        decide_release([_row(1, "blocked", 9)])


def test_a_dense_run_of_500_jobs_takes_one_pass() -> None:
    rows = [_row(i, "blocked" if i else "failed", *range(i)) for i in range(500)]
    decision = decide_release(rows)
    assert len(decision.skip) == 499
    assert decision.run_state is RunState.FAILED


@st.composite
def _graphs(draw: st.DrawFn) -> list[tuple[int, ...]]:
    """Needs of up to nine jobs, each of earlier ones only."""
    size = draw(st.integers(1, 9))
    return [tuple(draw(st.sets(st.integers(0, i - 1)))) if i else () for i in range(size)]


@settings(deadline=None)
@given(_graphs(), st.data())
def test_whatever_the_order_of_ends_no_job_starts_early_and_the_run_ends(
    graph: list[tuple[int, ...]], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(graph))))
    rows = [ReleaseRow(i, JobState.BLOCKED, graph[i]) for i in order]
    succeeded: set[int] = set()
    while True:
        decision = decide_release(rows)
        assert all(set(graph[job_id]) <= succeeded for job_id in decision.ready)
        assert all(not set(graph[skip.job_id]) <= succeeded for skip in decision.skip)
        rows = _apply(rows, decision)
        assert decide_release(rows) == ReleaseDecision((), (), decision.run_state)
        ready = [row.job_id for row in rows if row.state is JobState.READY]
        if not ready:
            break
        assert decision.run_state is None
        ended, end = data.draw(st.sampled_from(ready)), data.draw(st.sampled_from(_ENDS))
        succeeded |= {ended} if end is JobState.SUCCEEDED else set()
        rows = [msgspec.structs.replace(row, state=end if row.job_id == ended else row.state) for row in rows]
    assert all(row.state in FINAL_JOB_STATES for row in rows)
    assert decision.run_state in {RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELED}


@settings(deadline=None)
@given(_graphs(), st.data())
def test_the_decision_does_not_depend_on_the_order_of_the_rows(
    graph: list[tuple[int, ...]], data: st.DataObject
) -> None:
    states = [data.draw(st.sampled_from(JobState)) for _ in graph]
    rows = [ReleaseRow(i, state, needs) for i, (state, needs) in enumerate(zip(states, graph, strict=True))]
    shuffled = data.draw(st.permutations(rows))
    first, second = decide_release(rows), decide_release(shuffled)
    assert set(first.ready) == set(second.ready)
    assert {skip.job_id for skip in first.skip} == {skip.job_id for skip in second.skip}
    assert first.run_state is second.run_state
