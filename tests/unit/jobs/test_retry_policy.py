"""Waits grow to their ceiling, are spread over all of it, and no number makes them overflow."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.jobs.retry_policy import RetryPolicy

SECONDS = st.floats(0.001, 1e6)


def test_the_ceiling_grows_by_the_factor_up_to_the_most() -> None:
    policy = RetryPolicy(first_seconds=2.0, factor=3.0, most_seconds=100.0)
    assert [policy.ceiling_seconds(attempt) for attempt in range(1, 7)] == pytest.approx([2, 6, 18, 54, 100, 100])


@given(SECONDS, st.floats(1, 1000), SECONDS, st.integers(-5, 10**9))
def test_a_wait_lies_between_nothing_and_the_ceiling(first: float, factor: float, more: float, attempt: int) -> None:
    policy = RetryPolicy(first_seconds=first, factor=factor, most_seconds=first + more)
    assert 0 <= policy.delay_seconds(attempt) <= policy.ceiling_seconds(attempt) <= policy.most_seconds
    assert policy.ceiling_seconds(attempt) <= policy.ceiling_seconds(attempt + 1) * (1 + 1e-9)


def test_waits_are_spread_over_the_whole_range() -> None:
    policy = RetryPolicy(first_seconds=10.0, factor=1.0, most_seconds=10.0)
    waits = [policy.delay_seconds(1) for _ in range(1000)]
    assert min(waits) < 1
    assert max(waits) > 9


@pytest.mark.parametrize(
    "numbers",
    [
        {"first_seconds": 0.0},
        {"first_seconds": -1.0},
        {"first_seconds": float("nan")},
        {"first_seconds": 10.0, "most_seconds": 9.0},
        {"most_seconds": float("inf")},
        {"factor": 0.5},
        {"factor": float("nan")},
        {"factor": float("inf")},
    ],
)
def test_numbers_that_make_no_policy_are_refused(numbers: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        RetryPolicy(**numbers)


def test_a_policy_that_comes_as_data_is_checked_and_may_be_partial() -> None:
    assert msgspec.json.decode(b'{"first_seconds": 1}', type=RetryPolicy) == RetryPolicy(first_seconds=1.0)
    for wrong in (b'{"first_seconds": 0}', b'{"frist_seconds": 1}', b'{"factor": "2"}'):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(wrong, type=RetryPolicy)
