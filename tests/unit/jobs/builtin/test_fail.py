"""`fail` goes wrong in exactly the way that was asked for, so often as was asked for."""

import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from shared.jobs import JobContext, PermanentError, RetryableError, Snooze
from shared.jobs.builtin.fail import Fail, Recovered, fail
from shared.jobs.builtin.sleep import Sleep, sleep
from shared.jobs.job_context import GivenDetails

ROOT = Path(__file__).parents[4]


def context(*, attempt: int = 1, epoch: int = 1) -> JobContext:
    return JobContext.for_test(GivenDetails(attempt=attempt, epoch=epoch, max_attempts=10))


async def test_it_raises_what_handlers_raise() -> None:
    with pytest.raises(RuntimeError, match="boo"):
        await fail(Fail(message="boo"), context())
    with pytest.raises(PermanentError, match="boo"):
        await fail(Fail("permanent", "boo"), context())
    with pytest.raises(RetryableError, match="boo") as retry:
        await fail(Fail("retryable", "boo", seconds=7), context())
    assert retry.value.retry_in_seconds == 7
    with pytest.raises(Snooze) as snooze:
        await fail(Fail("snooze", seconds=9), context())
    assert snooze.value.seconds == 9


async def test_it_recovers_after_so_many_attempts() -> None:
    for attempt in (1, 2):
        with pytest.raises(RuntimeError):
            await fail(Fail(times=2), context(attempt=attempt))
    assert await fail(Fail(times=2), context(attempt=3)) == Recovered(3)


async def test_a_snooze_costs_no_attempt_and_is_counted_by_claims() -> None:
    with pytest.raises(Snooze):
        await fail(Fail("snooze", times=2), context(attempt=1, epoch=2))
    assert await fail(Fail("snooze", times=2), context(attempt=1, epoch=3)) == Recovered(3)


@pytest.mark.parametrize("kind", ["block", "memory"])
async def test_what_is_survived_is_an_error(kind: str) -> None:
    payload = Fail("block", seconds=0) if kind == "block" else Fail("memory", megabytes=1)
    with pytest.raises(RuntimeError, match="failed as asked"):
        await fail(payload, context())


async def test_hanging_and_sleeping_end_when_they_are_canceled() -> None:
    for call in (lambda: fail(Fail("hang"), context()), lambda: sleep(Sleep(86_400), context())):
        with anyio.move_on_after(0) as scope:
            await call()
        assert scope.cancelled_caught


async def test_sleeping_takes_the_time_that_was_asked_for() -> None:
    started = anyio.current_time()
    await sleep(Sleep(0.01), context())
    assert anyio.current_time() - started >= 0.01


@pytest.mark.parametrize(("kind", "status"), [("exit", 70), ("crash", -11)])
def test_exit_and_crash_end_the_process(kind: str, status: int) -> None:
    program = (
        "import asyncio, resource\n"
        "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
        "from shared.jobs import JobContext\n"
        "from shared.jobs.builtin.fail import Fail, fail\n"
        f"asyncio.run(fail(Fail({kind!r}), JobContext.for_test()))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False, capture_output=True)
    assert done.returncode == status


def test_stubborn_survives_its_cancellation() -> None:
    program = (
        "import asyncio, os\n"
        "from shared.jobs import JobContext\n"
        "from shared.jobs.builtin.fail import Fail, fail\n"
        "async def main():\n"
        "    call = asyncio.create_task(fail(Fail('stubborn'), JobContext.for_test()))\n"
        "    for _ in range(3):\n"
        "        await asyncio.sleep(0)\n"
        "        call.cancel()\n"
        "        await asyncio.sleep(0)\n"
        "        await asyncio.sleep(0)\n"
        "    os._exit(5 if call.done() else 6)\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False, capture_output=True)
    assert done.returncode == 6, done.stderr
