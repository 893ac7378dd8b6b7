"""The planner: whether a run takes place, which jobs it has, and in what states they start."""

import pytest

from shared.pipeline.expand import Plan, expand
from shared.pipeline.limits import DEFAULT_TIMEOUT_SECONDS
from shared.pipeline.states import JobState, SkipReason
from tests.unit.pipeline.explain import JOBS, load


def _plan(text: str, event: str = "push", branch: str | None = "main") -> Plan:
    return expand(load(text), event=event, branch=branch)


@pytest.mark.parametrize(
    ("on", "event", "branch", "why"),
    [
        ("push", "push", "topic", None),
        ("{push: {branches: [main, 'release/*']}}", "push", "main", None),
        ("{push: {branches: [main, 'release/*']}}", "push", "release/1", None),
        (
            "{push: {branches: [main, 'release/*']}}",
            "push",
            "topic",
            "`on.push.branches` [main, release/*] does not match branch `topic`",
        ),
        ("push", "push", None, "`on.push` is for branches, and this push is not to one"),
        ("push", "tag", "main", "`on` does not name the event `tag`"),
        ("{push: {branches: main}}", "manual", "topic", None),
        ("{push: {branches: main}}", "manual", None, None),
    ],
)
def test_a_run_takes_place_when_on_matches_or_somebody_asks_for_it(
    on: str, event: str, branch: str | None, why: str | None
) -> None:
    plan = _plan(f"on: {on}\n{JOBS}", event, branch)
    assert (plan.matched, plan.why) == (why is None, why)
    assert bool(plan.jobs) == plan.matched


def test_a_long_list_of_globs_is_told_in_short() -> None:
    plan = _plan(f"on: {{push: {{branches: [{', '.join(f'b{i}' for i in range(20))}]}}}}\n{JOBS}")
    assert plan.why == "`on.push.branches` [b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, …] does not match branch `main`"


@pytest.mark.parametrize(
    ("when", "event", "branch", "why"),
    [
        ("{event: push}", "push", "main", None),
        ("{event: [push, manual]}", "manual", "main", None),
        ("{event: push}", "manual", "main", "`when.event` [push] does not match the event `manual`"),
        ("{branch: 'release/**'}", "push", "release/1/2", None),
        ("{branch: [a, b]}", "push", "main", "`when.branch` [a, b] does not match branch `main`"),
        (
            "{branch: main}",
            "manual",
            None,
            "`when.branch` [main] does not match a commit on no branch",
        ),
        ("{event: push, branch: x}", "push", "main", "`when.branch` [x] does not match branch `main`"),
    ],
)
def test_a_job_whose_when_does_not_match_is_skipped(when: str, event: str, branch: str | None, why: str | None) -> None:
    (job,) = _plan(f"on: push\njobs: {{a: {{run: x, when: {when}}}}}", event, branch).jobs
    assert job.why == why
    assert (job.state, job.skip) == ((JobState.SKIPPED, SkipReason.WHEN) if why else (JobState.READY, None))


def test_what_needs_a_skipped_job_is_skipped_with_all_that_follows() -> None:
    plan = _plan(
        "on: push\njobs:\n  c: {run: x, needs: [free, b]}\n  b: {run: x, needs: a}\n"
        "  a: {run: x, when: {branch: other}}\n  free: {run: x}\n  d: {run: x, needs: free}\n"
    )
    assert {job.key: (job.state, job.skip) for job in plan.jobs} == {
        "c": (JobState.SKIPPED, SkipReason.NEED_SKIPPED),
        "b": (JobState.SKIPPED, SkipReason.NEED_SKIPPED),
        "a": (JobState.SKIPPED, SkipReason.WHEN),
        "free": (JobState.READY, None),
        "d": (JobState.BLOCKED, None),
    }
    assert plan.jobs[0].why == "needs `b`, which is skipped"


def test_jobs_inherit_and_override_variables_and_timeouts() -> None:
    plan = _plan(
        "on: push\nenv: {A: file, B: file}\ndefaults: {timeout: 5m}\njobs:\n"
        "  a: {run: x, env: {B: job, C: job}, timeout: 90s}\n"
        "  b: {steps: [{run: x, env: {A: step}}]}\n"
    )
    a, b = plan.jobs
    assert (a.env, a.timeout_seconds) == ({"A": "file", "B": "job", "C": "job"}, 90)
    assert (b.env, b.timeout_seconds) == ({"A": "file", "B": "file"}, 300)
    assert b.steps[0].env == {"A": "step"}
    assert _plan(f"on: push\n{JOBS}").jobs[0].timeout_seconds == DEFAULT_TIMEOUT_SECONDS


def test_steps_without_a_name_are_named_by_the_first_line_of_their_script() -> None:
    (job,) = _plan(
        "on: push\njobs:\n  a:\n    steps:\n      - {name: given, run: x}\n"
        "      - run: |\n\n          first line\n"
        f"          second\n      - run: {'y' * 100}\n"
    ).jobs
    assert [step.name for step in job.steps] == ["given", "first line", "y" * 79 + "…"]
