"""Timeouts, cancels and handing back always end a call: politely first, and then with its process."""

from pathlib import Path

import msgspec
import pytest

from services.executor.handler_frames import CallInterruption, CallOutcome
from tests.service.executor.run_pool import running_pool

NOWHERE = {"log": "/dev/null"}
# Long enough for no grace to end in a test that is not about that.
PATIENT = 60.0
BRIEF = 0.1


@pytest.mark.parametrize("job_type", ["wait", "wait_sync", "clean_up"])
@pytest.mark.parametrize(
    ("why", "outcome"),
    [
        (CallInterruption.CANCELED, CallOutcome.CANCELED),
        (CallInterruption.HANDED_BACK, CallOutcome.HANDED_BACK),
    ],
)
async def test_an_interrupted_call_ends_as_it_was_told_and_its_process_lives(
    job_type: str, why: CallInterruption, outcome: CallOutcome
) -> None:
    async with running_pool(grace_seconds=PATIENT) as running:
        pid = await running.result_of("sign", NOWHERE)
        key = running.submit(job_type, NOWHERE)
        await running.begun([key])
        running.pool.interrupt([key], why)
        end = await running.end_of(key)
        assert (end.outcome, end.reason) == (outcome, outcome.value)
        assert await running.result_of("sign", NOWHERE) == pid


@pytest.mark.parametrize("job_type", ["wait", "wait_sync", "clean_up"])
async def test_a_call_that_takes_too_long_times_out_and_its_process_lives(job_type: str) -> None:
    async with running_pool(grace_seconds=PATIENT) as running:
        pid = await running.result_of("sign", NOWHERE)
        end = await running.end_of(running.submit(job_type, NOWHERE, timeout_seconds=0.1))
        assert (end.outcome, end.reason) == (CallOutcome.TIMED_OUT, "timed_out")
        assert end.error == "took longer than its timeout of 0.1 s"
        assert await running.result_of("sign", NOWHERE) == pid


@pytest.mark.parametrize("job_type", ["stubborn", "stubborn_sync", "spin", "spin_sync"])
async def test_a_call_that_ignores_its_timeout_is_ended_with_its_process(job_type: str) -> None:
    async with running_pool(grace_seconds=BRIEF) as running:
        pid = await running.result_of("sign", NOWHERE)
        end = await running.end_of(running.submit(job_type, NOWHERE, timeout_seconds=0.1))
        assert (end.outcome, end.reason) == (CallOutcome.TIMED_OUT, "timed_out")
        assert await running.result_of("sign", NOWHERE) != pid


@pytest.mark.parametrize("job_type", ["stubborn", "stubborn_sync"])
@pytest.mark.parametrize("why", [CallInterruption.CANCELED, CallInterruption.HANDED_BACK])
async def test_a_call_that_ignores_an_interruption_is_ended_with_its_process(
    job_type: str, why: CallInterruption
) -> None:
    async with running_pool(grace_seconds=BRIEF) as running:
        key = running.submit(job_type, NOWHERE)
        await running.begun([key])
        running.pool.interrupt([key], why)
        assert (await running.end_of(key)).outcome == why.value
        await running.result_of("echo")


async def test_a_blocking_call_that_is_canceled_is_ended_with_its_process(tmp_path: Path) -> None:
    async with running_pool(grace_seconds=BRIEF) as running:
        key = running.submit("block", {"log": str(tmp_path / "log"), "value": 3_600_000})
        running.pool.interrupt([key], CallInterruption.CANCELED)
        assert (await running.end_of(key)).outcome is CallOutcome.CANCELED
        await running.result_of("echo")


async def test_the_innocent_of_a_killed_process_run_elsewhere_and_are_told_nothing(tmp_path: Path) -> None:
    log = tmp_path / "log"
    async with running_pool(grace_seconds=BRIEF, concurrency=10) as running:
        innocent = running.submit_all([("wait", {"log": str(log), "name": f"i{number}"}) for number in range(3)])
        guilty = running.submit("stubborn", NOWHERE)
        await running.begun([*innocent, guilty])
        running.pool.interrupt([guilty], CallInterruption.CANCELED)
        await running.end_of(guilty)
        running.notes.clear()
        await running.begun(innocent)
        assert not set(innocent) & set(running.ends)
        running.pool.interrupt(innocent, CallInterruption.CANCELED)
        await running.ends_of(innocent)
    assert sorted(log.read_text().split()) == ["i0", "i0", "i1", "i1", "i2", "i2"]


async def test_a_result_counts_even_if_it_comes_after_the_cancel() -> None:
    async with running_pool() as running:
        for why in (CallInterruption.CANCELED, CallInterruption.HANDED_BACK):
            key = running.submit("finish_late", NOWHERE)
            await running.begun([key])
            running.pool.interrupt([key], why)
            end = await running.end_of(key)
            assert end.outcome is CallOutcome.SUCCEEDED
            assert msgspec.json.decode(end.result) == "done all the same"


async def test_calls_that_wait_in_the_process_are_ended_without_running(tmp_path: Path) -> None:
    log = tmp_path / "log"
    async with running_pool(concurrency=1) as running:
        first = running.submit("wait", NOWHERE)
        await running.begun([first])
        queued = running.submit_all([("sign", {"log": str(log)}), ("many_wait", NOWHERE)])
        running.pool.interrupt(queued, CallInterruption.HANDED_BACK)
        assert {end.outcome for end in await running.ends_of(queued)} == {CallOutcome.HANDED_BACK}
        running.pool.interrupt([first], CallInterruption.CANCELED)
        await running.end_of(first)
        await running.result_of("echo")
    assert not log.exists()


async def test_calls_beyond_what_the_process_takes_are_ended_at_once() -> None:
    async with running_pool(concurrency=1) as running:
        keys = running.submit_all([("wait", NOWHERE)] * 1000)
        running.pool.interrupt(keys[900:], CallInterruption.CANCELED)
        assert {running.ends[key].outcome for key in keys[900:]} == {CallOutcome.CANCELED}
        running.pool.interrupt_all(CallInterruption.HANDED_BACK)
        assert {end.outcome for end in await running.ends_of(keys[:900])} == {CallOutcome.HANDED_BACK}


async def test_of_lost_calls_nothing_is_told_but_they_are_ended(tmp_path: Path) -> None:
    async with running_pool(concurrency=2) as running:
        lost = running.submit_all([("wait", NOWHERE), ("wait_sync", NOWHERE), ("wait", NOWHERE)])
        await running.begun(lost[:2])
        running.pool.interrupt(lost, CallInterruption.LOST)
        # Both servants are free again: the lost calls have really been ended.
        keys = running.submit_all([("sign", {"log": str(tmp_path / "log")})] * 2)
        await running.ends_of(keys)
        while len(running.pool):  # of a lost call only the next frame tells that it is over
            running.submit("echo")
            await running.changed()
        assert not set(running.ends) & set(lost)


async def test_a_call_that_is_lost_after_its_cancel_is_not_told_of() -> None:
    async with running_pool(grace_seconds=BRIEF) as running:
        key = running.submit("stubborn", NOWHERE)
        await running.begun([key])
        running.pool.interrupt([key], CallInterruption.CANCELED)
        running.pool.interrupt([key], CallInterruption.LOST)
        await running.result_of("echo")
        while len(running.pool):
            running.submit("echo")
            await running.changed()
        assert key not in running.ends


async def test_an_interruption_of_what_has_ended_is_nothing() -> None:
    async with running_pool() as running:
        key = running.submit("echo")
        await running.end_of(key)
        running.pool.interrupt([key, 12345], CallInterruption.CANCELED)
        await running.result_of("echo")


async def test_one_of_a_batch_sees_that_it_is_canceled_and_the_others_go_on() -> None:
    async with running_pool(grace_seconds=BRIEF) as running:
        keys = running.submit_all([("many_wait", NOWHERE)] * 3)
        await running.begun(keys)
        running.pool.interrupt([keys[1]], CallInterruption.CANCELED)
        ends = await running.ends_of(keys)
    assert [msgspec.json.decode(end.result) for end in ends] == ["not canceled", "canceled", "not canceled"]


async def test_a_batch_of_which_all_are_to_end_is_ended_with_its_process() -> None:
    async with running_pool(grace_seconds=BRIEF) as running:
        keys = running.submit_all([("many_stubborn", NOWHERE)] * 3)
        await running.begun(keys)
        running.pool.interrupt_all(CallInterruption.HANDED_BACK)
        assert {end.outcome for end in await running.ends_of(keys)} == {CallOutcome.HANDED_BACK}


async def test_a_batch_that_ignores_its_timeout_is_ended_with_its_process() -> None:
    async with running_pool(grace_seconds=BRIEF) as running:
        keys = running.submit_all([("many_stubborn", NOWHERE)] * 3, timeout_seconds=0.1)
        assert {end.outcome for end in await running.ends_of(keys)} == {CallOutcome.TIMED_OUT}


async def test_draining_ends_everything_wherever_it_is() -> None:
    async with running_pool(processes=2, concurrency=2, grace_seconds=BRIEF) as running:
        kinds = ["wait", "wait_sync", "stubborn", "stubborn_sync", "many_wait"]
        keys = running.submit_all([(kinds[number % 5], NOWHERE) for number in range(700)])
        await running.changed()
        running.pool.interrupt_all(CallInterruption.HANDED_BACK)
        ends = await running.ends_of(keys)
        # A batch may have come to its end by itself.
        assert {end.outcome for end in ends} <= {CallOutcome.HANDED_BACK, CallOutcome.SUCCEEDED}
        assert CallOutcome.HANDED_BACK in {end.outcome for end in ends}
        await running.result_of("echo")


async def test_closing_hands_back_whatever_is_left() -> None:
    async with running_pool() as running:
        keys = running.submit_all([("wait", NOWHERE), ("stubborn", NOWHERE)] * 300)
        await running.begun(keys[:2])
    assert {running.ends[key].outcome for key in keys} == {CallOutcome.HANDED_BACK}
    late = running.submit("echo")
    assert running.ends[late].outcome is CallOutcome.HANDED_BACK
