"""What handler processes say is believed no further than it makes sense."""

from uuid import uuid4

import pytest

from services.executor import turn_over_jobs
from services.executor.handler_frames import CallEnd, CallOutcome
from services.executor.hold_calls import HeldCall, read_claimed
from services.executor.mark_lanes import LaneMarks
from services.executor.read_end import read_end
from shared.jobs import RetryPolicy
from shared.queries.models import AttemptOutcome


@pytest.mark.parametrize("text", [b"1", b'{"a": [1, 2]}', b'"],["', b"null"])
def test_one_value_is_one_value(text: bytes) -> None:
    assert read_end(CallEnd(1, CallOutcome.SUCCEEDED, result=text)) is None


@pytest.mark.parametrize("text", [b"1,2", b"1],[2", b"{", b" ", b"\xff", b"1]"])
def test_what_would_shift_the_results_of_others_is_no_value(text: bytes) -> None:
    end = read_end(CallEnd(1, CallOutcome.SUCCEEDED, result=text))
    assert end is not None
    assert (end.outcome, end.reason) == (AttemptOutcome.FAILED, "invalid_result")


def test_a_success_without_a_result_is_one() -> None:
    assert read_end(CallEnd(1, CallOutcome.SUCCEEDED)) is None


@pytest.mark.parametrize("retry", ['{"later": 1}', '{"first_seconds": -1}', "[]", '{"first_seconds": "x"}'])
def test_a_policy_that_is_not_understood_costs_nobody_the_claim(retry: str) -> None:
    assert turn_over_jobs._read_retry(_held(retry)) is None


def test_a_policy_of_the_jobs_own_counts() -> None:
    assert turn_over_jobs._read_retry(_held('{"first_seconds": 7}')) == RetryPolicy(first_seconds=7)


def _held(retry: str) -> HeldCall:
    (held,) = read_claimed(f'[["(0,1)","{uuid4()}",1,0,10,300,null,null,{retry},null]]')
    return held


def test_what_is_left_out_of_a_claimed_job_is_null() -> None:
    one, two = read_claimed(
        f'[["(0,1)","{uuid4()}",1,0,10,300],["(0,2)","{uuid4()}",2,1,9,7,{{"a": 1}},{{}},null,"tp"]]'
    )
    assert (bytes(one.payload), bytes(one.metadata), one.traceparent) == (b"", b"", None)
    assert (bytes(two.payload), bytes(two.metadata), two.traceparent) == (b'{"a": 1}', b"{}", "tp")
    assert (two.row_at, two.epoch, two.attempts_used, two.max_attempts, two.timeout_seconds) == ("(0,2)", 2, 1, 9, 7)


def test_scans_from_the_front_take_a_twentieth_of_the_time_and_none_while_they_are_short() -> None:
    now = [0.0]
    marks = LaneMarks(clock=lambda: now[0])
    marks.claimed(1, 100)
    marks.took(0.002, from_front=True)  # nothing to compare with yet: as if all of it were too long
    assert marks.choose() == {1: 100}
    marks.took(0.002, from_front=False)
    now[0] = 0.041
    assert marks.choose() == {}
    marks.took(0.002, from_front=True)
    assert marks.choose() == {}  # as short as any other: again at once
    marks.took(0.502, from_front=True)
    now[0] += 9.9
    assert marks.choose() == {1: 100}
    now[0] += 0.2
    assert marks.choose() == {}


def test_an_empty_lane_is_looked_at_from_the_front() -> None:
    marks = LaneMarks(clock=lambda: 0.0)
    marks.claimed(1, 100)
    marks.took(10.0, from_front=True)
    assert marks.choose() == {1: 100}
    marks.forget()
    assert marks.choose() == {}
