"""Every outcome leads to delivered, another try, or dead: nothing is tried for ever, or given up early."""

from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.config import NotifierConfig
from services.notifier.plan_retry import Decision, plan_retry
from shared.outgoing.outcome import Answered, Failed, Outcome
from shared.queries.models import ChannelKind, NotificationState

DELIVERED, PENDING, DEAD = NotificationState.DELIVERED, NotificationState.PENDING, NotificationState.DEAD
DEFAULTS = NotifierConfig(database_url="", public_url="", sealing_keys=[])
HOUR = 3600.0
kinds = st.sampled_from(ChannelKind)


def plan(
    outcome: Outcome,
    *,
    kind: ChannelKind = ChannelKind.WEBHOOK,
    tries: int = 1,
    max_tries: int = DEFAULTS.notification_tries,
    jitter: float = 0.5,
    said: str = "",
) -> Decision:
    return plan_retry(outcome, kind=kind, tries=tries, max_tries=max_tries, jitter=jitter, said=said)


@given(st.integers(200, 299), kinds)
def test_any_2xx_is_delivered(status: int, kind: ChannelKind) -> None:
    assert plan(Answered(status), kind=kind, tries=1, max_tries=1).state is DELIVERED


@pytest.mark.parametrize("kind", ChannelKind)
@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 507, 529, 599])
def test_overload_and_faults_of_the_target_are_tried_again(status: int, kind: ChannelKind) -> None:
    assert plan(Answered(status), kind=kind).state is PENDING


@pytest.mark.parametrize("kind", ChannelKind)
def test_no_answer_is_tried_again(kind: ChannelKind) -> None:
    decision = plan(Failed("no connection: Connection refused"), kind=kind)
    assert (decision.state, decision.reason) == (PENDING, "no connection: Connection refused")


@pytest.mark.parametrize("status", [401, 403, 404, 409, 423])
def test_what_a_receiver_can_mend_is_tried_again_but_a_revoked_chat_webhook_is_dead(status: int) -> None:
    assert plan(Answered(status)).state is PENDING
    assert plan(Answered(status), kind=ChannelKind.SLACK).state is DEAD
    assert plan(Answered(status), kind=ChannelKind.DISCORD).state is DEAD


@pytest.mark.parametrize("kind", ChannelKind)
@pytest.mark.parametrize("status", [101, 300, 301, 302, 303, 307, 308, 400, 405, 410, 411, 413, 415, 422, 451])
def test_redirects_refusals_and_gone_are_dead_at_once(status: int, kind: ChannelKind) -> None:
    decision = plan(Answered(status), kind=kind)
    assert decision.state is DEAD
    assert decision.reason.startswith(f"answered {status}: ")


def test_what_the_service_said_is_told() -> None:
    decision = plan(Answered(404), kind=ChannelKind.SLACK, said="no_service")
    assert decision.reason.startswith("answered 404 (no_service): ")


def test_a_failure_for_good_is_dead_at_once() -> None:
    assert plan(Failed("refused", for_good=True)) == Decision(DEAD, "refused")


@given(st.integers(100, 599).filter(lambda status: not 200 <= status <= 299), st.integers(1, 50), kinds)
def test_the_last_try_ends_it(status: int, max_tries: int, kind: ChannelKind) -> None:
    assert plan(Answered(status), kind=kind, tries=max_tries, max_tries=max_tries).state is DEAD
    assert plan(Failed("x"), kind=kind, tries=max_tries, max_tries=max_tries).state is DEAD


def test_the_reason_of_the_last_try_is_kept() -> None:
    decision = plan(Failed("no answer within 15 s"), tries=15)
    assert decision.reason == "given up after 15 tries; the last one: no answer within 15 s"


def test_the_default_plan_spans_about_three_days() -> None:
    tries = range(1, DEFAULTS.notification_tries)
    longest, shortest, mean = (
        sum(plan(Failed("x"), tries=number, jitter=jitter).retry_in_seconds for number in tries)
        for jitter in (1.0, 0.0, 0.5)
    )
    assert 2.5 * 24 * HOUR < mean < 3.5 * 24 * HOUR
    assert longest < 7 * 24 * HOUR
    assert shortest > 0


def test_delays_grow_to_a_day() -> None:
    ceilings = [plan(Failed("x"), tries=number, jitter=1.0).retry_in_seconds for number in range(1, 15)]
    assert ceilings == sorted(ceilings)
    assert ceilings[0] == 10
    assert ceilings[-1] == 24 * HOUR
    assert fmean(ceilings[:4]) < 120  # a target that restarts is told within minutes


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_no_delay_is_below_a_second_or_above_a_day(tries: int, jitter: float) -> None:
    seconds = plan(Failed("x"), tries=tries, max_tries=10_001, jitter=jitter).retry_in_seconds
    assert 1 <= seconds <= 24 * HOUR


@given(st.sampled_from([429, 503]), st.floats(0, 1), st.floats(0, 1e12), st.integers(1, 14))
def test_retry_after_is_heeded_and_capped(status: int, jitter: float, asked: float, tries: int) -> None:
    seconds = plan(Answered(status, asked), tries=tries, jitter=jitter).retry_in_seconds
    assert min(asked, 24 * HOUR) <= seconds <= 1.1 * 24 * HOUR


def test_retry_after_means_nothing_elsewhere() -> None:
    assert plan(Answered(500, 3600), jitter=1.0).retry_in_seconds == 10
