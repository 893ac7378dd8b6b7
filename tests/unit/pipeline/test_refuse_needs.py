# ruff: noqa: E501 - one case a line
"""Needs: each names another job, once, and nothing waits for itself."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.pipeline.load import load_pipeline
from shared.pipeline.problem import PipelineFileError
from tests.unit.pipeline.explain import explain, write_file


def _jobs(**needs: str) -> str:
    return "on: push\njobs:\n" + "".join(f"  {key}: {{run: x, needs: {need}}}\n" for key, need in needs.items())


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (_jobs(a="a"), ["f:3:22: jobs.a.needs: a job cannot need itself"]),
        (_jobs(a="[test1]", test="[a]"), ["f:3:23: jobs.a.needs[0]: there is no job `test1`; did you mean `test`?"]),
        (_jobs(a="[b, b]", b="'9'"), [
            "f:3:26: jobs.a.needs[1]: `b` is listed twice",
            "f:4:22: jobs.b.needs: `9` cannot be the key of a job",
        ]),
        (_jobs(a="b", b="a"), ["f:4:22: jobs.b.needs: jobs that need each other form a cycle: a → b → a"]),
        (_jobs(x="a", a="b", b="[c]", c="a"), ["f:6:22: jobs.c.needs: jobs that need each other form a cycle: a → b → c → a"]),
    ],
)  # fmt: skip
def test_impossible_needs_are_refused(text: str, lines: list[str]) -> None:
    assert explain(text) == lines


def test_a_job_with_other_problems_still_counts_as_there() -> None:
    assert explain("on: push\njobs:\n  a: {run: x, needs: b}\n  b: {run: ''}\n") == ["f:4:12: jobs.b.run: is empty"]


def test_a_long_cycle_is_shown_in_short() -> None:
    size = 400
    (line,) = explain(_jobs(**{f"j{i}": f"j{(i + 1) % size}" for i in range(size)}))
    assert line.endswith("cycle: j0 → j1 → j2 → j3 → j4 → j5 → j6 → j7 → … → j399 → j0")


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sets(st.integers(0, 7)), min_size=8, max_size=8))
def test_a_file_is_refused_exactly_when_its_needs_cannot_be_ordered(needs: list[set[int]]) -> None:
    jobs = {f"j{i}": {"run": "x", "needs": [f"j{n}" for n in ns]} if ns else {"run": "x"} for i, ns in enumerate(needs)}
    try:
        load_pipeline(write_file({"on": "push", "jobs": jobs}))
    except PipelineFileError:
        accepted = False
    else:
        accepted = True
    assert accepted == _can_be_ordered(needs)


def _can_be_ordered(needs: list[set[int]]) -> bool:
    done: set[int] = set()
    for _ in needs:
        done |= {job for job, its_needs in enumerate(needs) if its_needs <= done}
    return len(done) == len(needs)
