"""What handler processes say is believed no further than it makes sense."""

from uuid import uuid4

import pytest

from services.executor.handler_frames import CallEnd, CallOutcome
from services.executor.hold_calls import HeldCall, read_claimed
from services.executor.make_calls import read_retry_policy
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
    assert read_retry_policy(_held(retry)) is None


def test_a_policy_of_the_jobs_own_counts() -> None:
    assert read_retry_policy(_held('{"first_seconds": 7}')) == RetryPolicy(first_seconds=7)


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


class Clock:
    """A clock that stands, and marks that go by it."""

    def __init__(self) -> None:
        self.now = 100.0
        self.marks = LaneMarks(clock=lambda: self.now)
        self.marks.claimed(1, 100, is_all=True)
        assert self.marks.choose() == {}  # nobody knows yet what is in front
        self.marks.took(0.002, from_front=True)
        self.marks.took(0.002, from_front=False)
        self.now += 1

    def scan(self, seconds: float) -> float:
        """Scan from the front as soon as that is due; returns how long the next one has to wait."""
        self.now += self.marks.front_due_in
        assert self.marks.choose() == {}
        self.marks.took(seconds, from_front=True)
        return self.marks.front_due_in


def test_scans_from_the_front_take_a_twentieth_of_the_time_and_none_while_they_are_short() -> None:
    clock = Clock()
    assert clock.scan(0.002) == 0
    assert clock.scan(0.0035) == 0  # longer only by chance: again at once
    assert clock.scan(0.042) == pytest.approx(0.8)
    clock.now += 0.7
    assert clock.marks.choose() == {1: 100}
    clock.now += 0.2
    assert clock.marks.choose() == {}


def test_one_that_was_held_up_costs_a_second_and_those_that_stay_long_ever_more() -> None:
    clock = Clock()
    assert clock.scan(30.0) == 1
    assert clock.scan(0.002) == 0
    rests = [clock.scan(0.502) for _ in range(6)]
    assert rests == pytest.approx([1, 2, 4, 8, 10, 10])
    assert [clock.scan(34.0) for _ in range(4)] == pytest.approx([20, 40, 60, 60])
    assert clock.scan(0.002) == 0


def test_a_claim_from_a_mark_that_was_held_up_does_not_make_all_others_look_short() -> None:
    clock = Clock()
    clock.marks.took(8.0, from_front=False)
    samples = 0
    for _ in range(200):
        if clock.marks.choose():
            samples += 1
            clock.marks.took(0.002, from_front=False)
        else:
            clock.marks.took(0.3, from_front=True)
            if clock.marks.front_due_in:
                break
    assert samples == 1


def test_while_one_scans_from_the_front_others_do_not_but_for_a_second_at_most() -> None:
    clock = Clock()
    assert clock.marks.choose() == {}
    assert clock.marks.choose() == {1: 100}
    clock.now += 1.1  # whoever scanned has not been answered
    assert clock.marks.choose() == {}


def test_marks_that_were_chosen_stay_as_they_were() -> None:
    clock = Clock()
    clock.marks.choose()
    chosen = clock.marks.choose()
    clock.marks.claimed(1, 200, is_all=True)
    clock.marks.claimed(2, 300, is_all=True)
    assert chosen == {1: 100}


def test_a_mark_goes_back_only_where_something_was_left_behind_it() -> None:
    clock = Clock()
    clock.marks.choose()
    clock.marks.claimed(1, 50, is_all=True)
    assert clock.marks.choose() == {1: 100}
    clock.marks.claimed(1, 60, is_all=False)
    assert clock.marks.choose() == {1: 60}
