"""The loop: works off what there is, waits to be rung, survives a lost database, ends when asked."""

import anyio
import pytest

from shared.errors import DatabaseUnavailableError
from shared.loop import Bell, backoff_seconds, run_loop
from shared.stop import Stop

FOR_EVER = 3600.0


async def test_a_step_with_more_to_do_runs_again_at_once() -> None:
    stop, left = Stop(), [0.0, 0.0, FOR_EVER]

    async def step() -> float:
        seconds = left.pop(0)
        if not left:
            stop.request()
        return seconds

    with anyio.fail_after(5):
        await run_loop("test", step, bell=Bell(), stop=stop)
    assert left == []


async def test_a_ring_ends_the_wait() -> None:
    stop, bell, steps = Stop(), Bell(), 0
    waiting = anyio.Event()

    async def step() -> float:
        nonlocal steps
        steps += 1
        waiting.set()
        if steps == 2:
            stop.request()
        return FOR_EVER

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: run_loop("test", step, bell=bell, stop=stop))
            await waiting.wait()
            bell.ring()
    assert steps == 2


async def test_a_ring_during_the_step_is_not_lost() -> None:
    stop, bell, steps = Stop(), Bell(), 0

    async def step() -> float:
        nonlocal steps
        steps += 1
        if steps == 2:
            stop.request()
        bell.ring()
        return FOR_EVER

    with anyio.fail_after(5):
        await run_loop("test", step, bell=bell, stop=stop)
    assert steps == 2


async def test_a_lost_database_is_waited_for_and_other_errors_escape() -> None:
    stop, failures = Stop(), 3

    async def step() -> float:
        nonlocal failures
        if failures:
            failures -= 1
            raise DatabaseUnavailableError("away")
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup) as caught, anyio.fail_after(30):
        await run_loop("test", step, bell=Bell(), stop=stop)
    assert caught.group_contains(ZeroDivisionError)
    assert failures == 0


async def test_a_request_to_stop_ends_the_wait() -> None:
    stop, waiting = Stop(), anyio.Event()

    async def step() -> float:
        waiting.set()
        return FOR_EVER

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: run_loop("test", step, bell=Bell(), stop=stop))
            await waiting.wait()
            stop.request()


def test_backoff_grows_and_is_bounded() -> None:
    for failures in range(1, 100):
        assert 0.1 <= backoff_seconds(failures) <= 5.0


def test_a_second_request_is_urgent() -> None:
    stop = Stop()
    stop.request()
    assert (stop.requested, stop.urgent) == (True, False)
    stop.request()
    assert stop.urgent
