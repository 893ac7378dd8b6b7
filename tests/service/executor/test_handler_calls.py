"""What a handler returns or raises is what its call ends as, and nothing that it does so reaches another call."""

from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from services.executor.handler_frames import CallOutcome
from shared.jobs.load_handlers import HandlersUnavailableError
from shared.jobs.retry_policy import RetryPolicy
from tests.service.executor.run_pool import RunningPool, running_pool


async def test_results_come_back_as_json() -> None:
    values: list[object] = [{"a": [1, None, "ü"]}, None, [], "x" * 200_000]
    async with running_pool() as running:
        for value in values:
            assert await running.result_of("echo", value) == value


async def test_a_call_knows_its_job() -> None:
    async with running_pool() as running:
        found = await running.result_of(
            "describe",
            id_text=str(UUID(int=77)),
            queue="mails",
            epoch=9,
            attempt=2,
            max_attempts=4,
            metadata=b'{"tenant": 5}',
            traceparent="00-aa-bb-01",
        )
    assert found == {
        "job_id": str(UUID(int=77)),
        "job_type": "describe",
        "queue": "mails",
        "epoch": 9,
        "attempt": 2,
        "max_attempts": 4,
        "metadata": {"tenant": 5},
        "traceparent": "00-aa-bb-01",
        "has_time": True,
        "is_canceled": False,
    }


async def test_a_call_without_payload_or_metadata_gets_null_and_an_empty_dict() -> None:
    async with running_pool() as running:
        assert (await running.result_of("describe", b""))["metadata"] == {}


@pytest.mark.parametrize(
    ("kind", "outcome", "reason", "error"),
    [
        ("permanent", CallOutcome.FAILED, "unknown_user", "there is no such user"),
        ("return_permanent", CallOutcome.FAILED, "PermanentError", "said quietly"),
        ("retryable", CallOutcome.ERRORED, "RetryableError", "the server is busy"),
        ("snooze", CallOutcome.SNOOZED, "snoozed", ""),
        ("return_snooze", CallOutcome.SNOOZED, "snoozed", "not before noon"),
        ("unexpected", CallOutcome.ERRORED, "LookupError", "LookupError: no such\\0key ?"),
        ("given_up_on", CallOutcome.FAILED, "ZeroDivisionError", "ZeroDivisionError: by zero"),
        ("system_exit", CallOutcome.ERRORED, "SystemExit", "SystemExit: enough"),
        ("keyboard_interrupt", CallOutcome.ERRORED, "KeyboardInterrupt", "KeyboardInterrupt"),
        ("stop_iteration", CallOutcome.ERRORED, "RuntimeError", "RuntimeError: coroutine raised StopIteration"),
        ("stop_async_iteration", CallOutcome.ERRORED, "StopAsyncIteration", "StopAsyncIteration"),
        ("generator_exit", CallOutcome.ERRORED, "GeneratorExit", "GeneratorExit"),
        ("canceled_by_nobody", CallOutcome.ERRORED, "CancelledError", "CancelledError"),
        ("unspeakable", CallOutcome.ERRORED, "UnspeakableError", "UnspeakableError"),
        ("memory_error", CallOutcome.ERRORED, "out_of_memory", "ran out of memory"),
        ("no_json", CallOutcome.FAILED, "invalid_result", "the result cannot be turned into JSON: "),
        ("raw_rubbish", CallOutcome.FAILED, "invalid_result", "the result cannot be turned into JSON: "),
        ("nul", CallOutcome.FAILED, "invalid_result", "the result holds a NUL character"),
        ("too_large", CallOutcome.FAILED, "invalid_result", "the result has 1048578 bytes; at most 1048576"),
    ],
)
async def test_what_goes_wrong_is_told_and_harms_nobody_else(
    kind: str, outcome: CallOutcome, reason: str, error: str
) -> None:
    async with running_pool() as running:
        pid = await running.result_of("sign", {"log": "/dev/null"})
        end = await running.end_of(running.submit("odd", {"kind": kind, "seconds": 7.0}))
        assert (end.outcome, end.reason, end.result) == (outcome, reason, b"")
        assert end.error.startswith(error)
        if kind in {"retryable", "snooze", "return_snooze"}:
            assert end.retry_in_seconds == 7.0
        elif outcome is CallOutcome.ERRORED:
            assert 0 <= end.retry_in_seconds <= 100
        else:
            assert end.retry_in_seconds == 0
        assert await running.result_of("sign", {"log": "/dev/null"}) == pid


async def test_an_unexpected_error_says_where_it_happened() -> None:
    async with running_pool() as running:
        end = await running.end_of(running.submit("odd", {"kind": "given_up_on"}))
    first, *places = end.error.splitlines()
    assert first == "ZeroDivisionError: by zero"
    assert len(places) == 1
    assert "handler_deeds.py:" in places[0]
    assert places[0].endswith(" in odd")


@pytest.mark.parametrize(
    ("kind", "outcome", "reason"),
    [
        ("connection", CallOutcome.ERRORED, "ConnectionResetError"),
        ("other", CallOutcome.FAILED, "LookupError"),
        ("stop_iteration", CallOutcome.FAILED, "StopIteration"),
        ("system_exit", CallOutcome.FAILED, "SystemExit"),
        ("canceled", CallOutcome.FAILED, "CancelledError"),
    ],
)
async def test_sync_handlers_fail_as_async_ones_do_and_retry_on_is_exclusive(
    kind: str, outcome: CallOutcome, reason: str
) -> None:
    async with running_pool() as running:
        end = await running.end_of(running.submit("odd_sync", {"kind": kind}))
        assert (end.outcome, end.reason) == (outcome, reason)
        await running.result_of("sign_sync", {"log": "/dev/null"})


async def test_results_up_to_the_limit_and_with_harmless_backslashes_are_kept() -> None:
    async with running_pool() as running:
        assert len(await running.result_of("odd", {"kind": "not_too_large"})) == 1024 * 1024 - 2
        assert await running.result_of("odd", {"kind": "backslash"}) == "\\u0000 is harmless"


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        (b'{"log": 5}', "Expected `str`, got `int` - at `$.log`"),
        (b"{}", "Object missing required field `log`"),
        (b"{", "Input data was truncated"),
        (b"[" * 100_000, ""),
    ],
)
async def test_an_invalid_payload_is_permanent_and_says_where(payload: bytes, told: str) -> None:
    async with running_pool() as running:
        end = await running.end_of(running.submit("sign", payload))
        assert (end.outcome, end.reason) == (CallOutcome.FAILED, "invalid_payload")
        assert told in end.error
        await running.result_of("echo")


async def test_a_job_that_nobody_handles_is_permanent() -> None:
    async with running_pool() as running:
        end = await running.end_of(running.submit("no.such.type"))
    assert (end.outcome, end.reason) == (CallOutcome.FAILED, "no_handler")
    assert "'no.such.type'" in end.error


async def test_a_jobs_own_policy_goes_before_the_handlers() -> None:
    own = RetryPolicy(first_seconds=1.0, factor=1.0, most_seconds=1.0)
    async with running_pool() as running:
        keys = running.submit_all([("odd", {"kind": "retryable_by_policy"})] * 50, retry=own)
        ends = await running.ends_of(keys)
        usual = await running.ends_of(running.submit_all([("odd", {"kind": "retryable_by_policy"})] * 50))
    assert all(0 <= end.retry_in_seconds <= 1 for end in ends)
    assert max(end.retry_in_seconds for end in usual) > 1


async def test_what_a_handler_leaves_in_a_context_variable_the_next_one_does_not_see() -> None:
    async with running_pool(concurrency=1) as running:
        for _ in range(3):
            assert await running.result_of("leave_context") == "nothing" + "a secret of the last job"


async def test_handlers_may_use_all_of_asyncio_and_anyio_again_and_again() -> None:
    async with running_pool(concurrency=2) as running:
        for _ in range(3):
            assert await running.result_of("use_asyncio") == ["timeout", "thread", 3]
            assert await running.result_of("use_anyio") == [True, "thread", 3]


async def test_a_handler_that_cancels_every_task_harms_no_other_call(tmp_path: Path) -> None:
    async with running_pool(concurrency=3) as running:
        for _ in range(5):
            running.submit("cancel_everything")
            keys = running.submit_all([("sign", {"log": str(tmp_path / "log")})] * 10)
            assert {end.outcome for end in await running.ends_of(keys)} == {CallOutcome.SUCCEEDED}
        await running.ends_of(list(range(1, 56)))


async def test_a_handler_that_cancels_itself_or_stops_the_loop_has_its_own_end_only() -> None:
    async with running_pool(concurrency=1) as running:
        for _ in range(3):
            assert await running.result_of("cancel_self") == "finished first"
            await running.result_of("stop_loop")
        assert await running.result_of("echo", 1) == 1


async def test_calls_run_in_order_and_side_by_side(tmp_path: Path) -> None:
    log = tmp_path / "log"
    async with running_pool(concurrency=2) as running:
        waiting = running.submit("wait", {"log": "/dev/null"})
        await running.begun([waiting])
        keys = running.submit_all([("sign", {"log": str(log), "name": str(number)}) for number in range(100)])
        await running.ends_of(keys)
        assert log.read_text().split() == [str(number) for number in range(100)]
        assert waiting not in running.ends


async def test_many_calls_of_all_kinds_end_once_each() -> None:
    async with running_pool(processes=2, concurrency=20) as running:
        kinds = [("echo", 1), ("many", 2), ("many_sync", 4), ("sign_sync", {"log": "/dev/null"}), ("nobody", 0)]
        keys = running.submit_all([kinds[number % len(kinds)] for number in range(3000)])
        ends = await running.ends_of(keys)
    assert [end.outcome for end in ends] == [
        CallOutcome.FAILED if number % len(kinds) == 4 else CallOutcome.SUCCEEDED for number in range(3000)
    ]


async def test_a_key_that_is_in_use_is_refused() -> None:
    async with running_pool() as running:
        key = running.submit("wait", {"log": "/dev/null"})
        running._key = key - 1
        with pytest.raises(ValueError, match="with the key 1 already"):
            running.submit("echo")


async def test_large_payloads_and_results_pass_in_both_directions_at_once() -> None:
    text = "x" * (1024 * 1024 - 2)
    async with running_pool() as running:
        keys = running.submit_all([("echo", text)] * 60)
        assert {len(end.result) for end in await running.ends_of(keys)} == {1024 * 1024}


async def test_progress_arrives_and_of_many_the_newest() -> None:
    async with running_pool() as running:
        keys = running.submit_all([("wait", {"log": "/dev/null", "name": "a"}), ("wait_sync", {"log": "/dev/null"})])
        await running.begun(keys)
        assert (running.notes[keys[0]].fraction, running.notes[keys[0]].message) == (0.5, "a")


# --- batches


async def test_batches_take_what_waits_up_to_their_size_and_each_call_has_its_own_outcome() -> None:
    async with running_pool() as running:
        ends = await running.ends_of(running.submit_all([("many", number) for number in range(7)]))
    together = [msgspec.json.decode(end.result) if end.result else end.error for end in ends]
    assert together == [[0, 1, 2], "1 is odd", [0, 1, 2], "3 is odd", [3, 4, 5], "5 is odd", [6]]
    assert {end.outcome for end in ends[1::2]} == {CallOutcome.FAILED}


async def test_an_invalid_payload_is_taken_out_of_its_batch() -> None:
    async with running_pool() as running:
        ends = await running.ends_of(running.submit_all([("many", 0), ("many", "two"), ("many", 4)]))
    assert [end.outcome for end in ends] == [CallOutcome.SUCCEEDED, CallOutcome.FAILED, CallOutcome.SUCCEEDED]
    assert ends[1].reason == "invalid_payload"
    assert msgspec.json.decode(ends[0].result) == [0, 4]


async def test_calls_of_different_timeouts_are_no_batch() -> None:
    async with running_pool() as running:
        first = running.submit_all([("many", 0), ("many", 2)], timeout_seconds=30.0)
        second = running.submit_all([("many", 4)], timeout_seconds=20.0)
        ends = await running.ends_of([*first, *second])
    assert [msgspec.json.decode(end.result) for end in ends] == [[0, 2], [0, 2], [4]]


async def test_an_exception_or_a_missing_outcome_is_the_end_of_the_whole_batch() -> None:
    async with running_pool() as running:
        ends = await running.ends_of(running.submit_all([("many_sync", 1), ("many_sync", 13)]))
        assert {(end.outcome, end.reason) for end in ends} == {(CallOutcome.ERRORED, "LookupError")}
        ends = await running.ends_of(running.submit_all([("many_sync", 1), ("many_sync", 7)]))
        assert {(end.outcome, end.reason) for end in ends} == {(CallOutcome.ERRORED, "invalid_result")}
        assert "1 outcomes for a batch of 2" in ends[0].error


# --- the catalog


async def test_starting_returns_the_catalog() -> None:
    async with running_pool() as running:
        entries = {entry.job_type: entry for entry in running.pool.catalog}
    assert entries["echo"].summary == "Give back what was given."
    assert entries["many"].batch_size == 3
    assert entries["many"].takes_batches
    assert entries["sign"].payload_schema["$defs"]["Deed"]["required"] == ["log"]


async def test_handlers_that_cannot_be_imported_are_named_with_the_cause() -> None:
    running = RunningPool(modules=["no.such.module", "tests.service.executor.handler_broken"])
    with pytest.raises(HandlersUnavailableError) as raised:
        await running.pool.start()
    await running.pool.aclose()
    message = str(raised.value)
    assert "the module 'no.such.module': ModuleNotFoundError: No module named 'no'" in message
    assert "the module 'tests.service.executor.handler_broken': LookupError: a bug" in message
    assert "handler_broken.py:3)" in message


async def test_imports_that_take_more_memory_than_a_process_may_are_refused() -> None:
    running = RunningPool(memory_bytes=1024 * 1024)
    with pytest.raises(HandlersUnavailableError, match="imports alone take"):
        await running.pool.start()
    await running.pool.aclose()
