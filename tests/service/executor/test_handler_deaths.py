"""Whatever a handler does to its process costs that handler only; every other call ends as if nothing had been."""

import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest

from services.executor.handler_frames import CallInterruption, CallOutcome
from tests.service.executor.await_processes import WatchedProcess
from tests.service.executor.run_pool import MEMORY_BYTES, RunningPool, running_pool

NOWHERE = {"log": "/dev/null"}
BRIEF = 0.1


@pytest.mark.parametrize(
    ("deed", "told"),
    [
        ("crash", "was ended by SIGSEGV"),
        ("crash_sync", "was ended by SIGSEGV"),
        ("exit", "exited with status 3"),
        ("close_descriptors", ""),
        ("write_rubbish", "said what makes no sense"),
    ],
)
async def test_a_handler_that_ends_its_process_is_found_out_and_the_others_come_through(
    tmp_path: Path, deed: str, told: str
) -> None:
    log = tmp_path / "log"
    async with running_pool(concurrency=20) as running:
        beside = running.submit_all([("wait", NOWHERE)] * 3)
        await running.begun(beside)
        before = running.submit_all([("sign_sync", NOWHERE)] * 5)
        guilty = running.submit(deed, {"log": str(log), "name": "guilty", "value": 3})
        after = running.submit_all([("sign", NOWHERE)] * 30)
        end = await running.end_of(guilty)
        assert (end.outcome, end.reason) == (CallOutcome.ERRORED, "crashed")
        assert end.error.startswith("took its process down with it, which ")
        assert told in end.error
        assert end.retry_in_seconds >= 0
        ends = await running.ends_of([*before, *after])
        assert {end.outcome for end in ends} == {CallOutcome.SUCCEEDED}
        # Those that only waited are still there, or are again.
        running.pool.interrupt(beside, CallInterruption.CANCELED)
        assert {end.outcome for end in await running.ends_of(beside)} == {CallOutcome.CANCELED}
    assert log.read_text().split() == ["guilty"] * 2


@pytest.fixture
def go(tmp_path: Path) -> Iterator[Callable[[], int]]:
    """Lets a handler go on that reads a line from the fifo ``go``."""
    with _fifo(tmp_path / "go") as write:
        yield write


@pytest.fixture
def exit_now(tmp_path: Path) -> Iterator[Callable[[], int]]:
    """Lets a handler exit that reads a line from the fifo ``exit``."""
    with _fifo(tmp_path / "exit") as write:
        yield write


@contextmanager
def _fifo(path: Path) -> Iterator[Callable[[], int]]:
    os.mkfifo(path)
    fd = os.open(path, os.O_RDWR)
    try:
        yield lambda: os.write(fd, b"a line\n")
    finally:
        os.close(fd)


async def test_suspects_are_run_again_one_at_a_time_and_only_the_guilty_one_pays(
    tmp_path: Path, go: Callable[[], int], exit_now: Callable[[], int]
) -> None:
    log = tmp_path / "log"
    async with running_pool(quarantines=1) as running:
        guilty = running.submit("exit_at_line", {"log": str(log), "name": "guilty"})
        await running.begun([guilty])
        suspects = running.submit_all(
            [("wait_for_line", {"log": str(log), "name": f"s{number}"}) for number in range(3)]
        )
        await running.begun(suspects)
        running.notes.clear()
        exit_now()
        # In quarantine, the next is not begun before the last has ended; who had begun last comes first.
        for number, key in enumerate(reversed(suspects)):
            await running.begun([key])
            assert len(running.notes) == number + 1
            go()
            assert (await running.end_of(key)).outcome is CallOutcome.SUCCEEDED
        await running.begun([guilty])
        exit_now()
        assert (await running.end_of(guilty)).reason == "crashed"
    assert sorted(log.read_text().split()) == ["guilty", "guilty", "s0", "s0", "s1", "s1", "s2", "s2"]


async def test_once_the_culprit_has_been_found_the_other_suspects_run_beside_each_other(tmp_path: Path) -> None:
    async with running_pool(quarantines=1, concurrency=20) as running:
        # Each ends only when all of them run in one process: one after the other, they never would.
        deed = {"log": str(tmp_path / "log"), "value": 10}
        suspects = running.submit_all([("meet_after_exit", deed)] * 10)
        await running.begun(suspects)
        guilty = running.submit("exit", deed)
        assert (await running.end_of(guilty)).reason == "crashed"
        assert {end.outcome for end in await running.ends_of(suspects)} == {CallOutcome.SUCCEEDED}


async def test_all_culprits_of_one_process_are_found_though_others_began_long_before_and_run_on(
    tmp_path: Path,
) -> None:
    log = tmp_path / "log"
    async with running_pool(quarantines=1, concurrency=20) as running:
        beside = running.submit_all([("wait", NOWHERE)] * 6)
        await running.begun(beside)
        guilty = running.submit_all([("exit_at_record", {"log": str(log)})] * 2)
        await running.begun(guilty)
        # Whoever of them runs exits, from now on.
        log.touch()
        assert {end.reason for end in await running.ends_of(guilty)} == {"crashed"}
        running.pool.interrupt(beside, CallInterruption.CANCELED)
        assert {end.outcome for end in await running.ends_of(beside)} == {CallOutcome.CANCELED}


async def test_once_a_blocking_call_has_been_found_the_other_suspects_run_beside_each_other(tmp_path: Path) -> None:
    async with running_pool(quarantines=1, concurrency=20, stall_seconds=0.5, grace_seconds=BRIEF) as running:
        deed = {"log": str(tmp_path / "log"), "value": 10}
        suspects = running.submit_all([("meet_after_exit", deed)] * 10)
        await running.begun(suspects)
        guilty = running.submit("block", deed | {"value": 3_600_000}, timeout_seconds=4.0)
        assert (await running.end_of(guilty)).outcome is CallOutcome.TIMED_OUT
        assert {end.outcome for end in await running.ends_of(suspects)} == {CallOutcome.SUCCEEDED}


async def test_calls_that_had_not_begun_run_once_only(tmp_path: Path) -> None:
    log = tmp_path / "log"
    async with running_pool(concurrency=1) as running:
        names = [str(number) for number in range(50)]
        keys = running.submit_all([("exit", NOWHERE), *(("sign", {"log": str(log), "name": name}) for name in names)])
        await running.ends_of(keys)
    assert sorted(log.read_text().split()) == sorted(names)


async def test_a_call_that_takes_its_process_down_once_succeeds_in_quarantine(tmp_path: Path) -> None:
    async with running_pool() as running:
        assert await running.result_of("exit_once", {"log": str(tmp_path / "log")}) == "well"


async def test_what_a_call_left_behind_may_end_its_process_and_no_other_call_pays(tmp_path: Path) -> None:
    async with running_pool() as running:
        for _ in range(3):
            process = running.serving()
            watched = WatchedProcess(process.pid)
            await running.result_of("exit_later", NOWHERE)
            keys = running.submit_all([("sign", NOWHERE), ("sign_sync", NOWHERE)])
            assert {end.outcome for end in await running.ends_of(keys)} == {CallOutcome.SUCCEEDED}
            await anyio.to_thread.run_sync(watched.has_ended)
            await running.result_of("echo")


@pytest.mark.parametrize("deed", ["eat_memory", "gulp_memory"])
async def test_a_handler_that_eats_memory_is_found_out_and_the_others_come_through(tmp_path: Path, deed: str) -> None:
    async with running_pool(memory_bytes=200 * 1024 * 1024) as running:
        beside = running.submit_all([("wait", NOWHERE)] * 2)
        await running.begun(beside)
        guilty = running.submit(deed, {"log": str(tmp_path / "log")})
        end = await running.end_of(guilty)
        assert (end.outcome, end.reason) == (CallOutcome.ERRORED, "out_of_memory")
        running.pool.interrupt(beside, CallInterruption.CANCELED)
        assert {end.outcome for end in await running.ends_of(beside)} == {CallOutcome.CANCELED}


@pytest.mark.parametrize("deed", ["block", "spin", "spin_sync"])
async def test_while_a_process_stalls_others_take_the_calls_and_the_guilty_one_times_out(
    tmp_path: Path, deed: str
) -> None:
    log = tmp_path / "log"
    async with running_pool(stall_seconds=1.0, grace_seconds=BRIEF) as running:
        beside = running.submit("wait", NOWHERE)
        await running.begun([beside])
        guilty = running.submit(deed, {"log": str(log), "name": "guilty", "value": 3_600_000}, timeout_seconds=5.0)
        queued = running.submit_all([("sign", NOWHERE)] * 20)
        ends = await running.ends_of(queued)
        assert {end.outcome for end in ends} == {CallOutcome.SUCCEEDED}
        end = await running.end_of(guilty)
        assert (end.outcome, end.reason) == (CallOutcome.TIMED_OUT, "timed_out")
        running.pool.interrupt([beside], CallInterruption.CANCELED)
        assert (await running.end_of(beside)).outcome is CallOutcome.CANCELED
    assert set(log.read_text().split()) == {"guilty"}


async def test_a_blocking_call_that_is_alone_is_left_to_finish_while_another_process_takes_over(
    tmp_path: Path, go: Callable[[], int]
) -> None:
    log = tmp_path / "log"
    async with running_pool(stall_seconds=0.5, grace_seconds=BRIEF) as running:
        slow = running.submit("block_for_line", {"log": str(log), "name": "once"})
        (process,) = running.processes()
        with anyio.fail_after(60):
            while not process.is_silent:
                await anyio.lowlevel.checkpoint()
        assert await running.result_of("sign", NOWHERE) != process.pid
        assert slow not in running.ends
        go()
        assert (await running.end_of(slow)).outcome is CallOutcome.SUCCEEDED
    assert log.read_text().split() == ["once"]


async def test_while_a_call_will_not_end_others_get_the_new_calls(tmp_path: Path) -> None:
    async with running_pool(grace_seconds=3.0) as running:
        late = running.submit("stubborn", NOWHERE)
        (process,) = running.processes()
        await running.begun([late])
        running.pool.interrupt([late], CallInterruption.CANCELED)
        with anyio.fail_after(60):
            while await running.result_of("sign", NOWHERE) == process.pid:
                pass
        # What is in the process already goes on there until its last moment.
        assert (await running.end_of(late)).outcome is CallOutcome.CANCELED


@pytest.mark.parametrize("deed", ["fork", "fork_at_once", "fork_sync", "fork_in_callback"])
async def test_what_a_handler_forks_neither_answers_nor_goes_on_with_other_calls(tmp_path: Path, deed: str) -> None:
    log = tmp_path / "log"
    async with running_pool(concurrency=20) as running:
        beside = running.submit_all([("wait", NOWHERE)] * 3)
        await running.begun(beside)
        for _ in range(3):
            keys = running.submit_all(
                [(deed, {"log": str(log), "name": "f"}), ("sign", {"log": str(log), "name": "s"})]
            )
            assert await running.result_of("echo", 1) == 1
            ends = await running.ends_of(keys)
            assert ends[0].outcome is CallOutcome.SUCCEEDED
            assert ends[0].result == b'"parent"'
        running.pool.interrupt(beside, CallInterruption.CANCELED)
        await running.ends_of(beside)
    assert log.read_text().count("s") == 3
    assert log.read_text().count("f") in {0, 3}


async def test_every_call_ends_once_however_often_its_processes_are_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    async with running_pool(processes=2, spares=1, concurrency=5) as running:
        kinds = ["sign", "sign_sync", "echo", "many", "many_sync"]
        keys: list[int] = []
        for _ in range(25):
            what = [chance.choice(kinds) for _ in range(chance.randrange(1, 80))]
            keys += running.submit_all([(kind, {"log": str(log)} if kind.startswith("sign") else 2) for kind in what])
            for _ in range(chance.randrange(4)):
                if len(running.pool):
                    await running.changed()
            # One that has just died is on the roster until what it left behind is gone.
            if victims := [process for process in running.processes() if not process.is_over]:
                os.kill(chance.choice(victims).pid, signal.SIGKILL)
        ends = await running.ends_of(keys)
    outcomes = [end.outcome for end in ends]
    # Killed while it was alone in quarantine, a call cannot prove its innocence: it may be tried again.
    assert set(outcomes) <= {CallOutcome.SUCCEEDED, CallOutcome.ERRORED}, seed
    assert {end.reason for end in ends} <= {"", "crashed"}, seed


async def test_killed_and_canceled_at_once_each_call_still_ends_once() -> None:
    async with running_pool(processes=2, concurrency=3) as running:
        for _ in range(10):
            keys = running.submit_all([("wait", NOWHERE), ("wait_sync", NOWHERE), ("echo", 1)] * 4)
            await running.end_of(keys[2])
            for process in running.processes():
                if not process.is_over:
                    os.kill(process.pid, signal.SIGKILL)
            running.pool.interrupt_all(CallInterruption.CANCELED)
            ends = await running.ends_of(keys)
            assert {end.outcome for end in ends} <= {CallOutcome.SUCCEEDED, CallOutcome.CANCELED}


async def test_ends_that_were_told_before_the_death_count(tmp_path: Path) -> None:
    log = tmp_path / "log"
    async with running_pool(concurrency=1) as running:
        (process,) = running.processes()
        keys = running.submit_all([("sign", {"log": str(log), "name": "x"})])
        watched = WatchedProcess(process.pid)
        # Without giving the loop a turn: the end is in the pipe when the process dies.
        while not log.exists() or not process.has_something_to_say():
            pass
        os.kill(process.pid, signal.SIGKILL)
        assert watched.has_ended()
        assert (await running.end_of(keys[0])).outcome is CallOutcome.SUCCEEDED
        await running.result_of("echo")
    assert log.read_text().split() == ["x"]


async def test_a_process_that_stops_answering_when_idle_is_replaced_when_it_is_needed() -> None:
    async with running_pool(stall_seconds=0.5) as running:
        (process,) = running.processes()
        os.kill(process.pid, signal.SIGSTOP)
        assert await running.result_of("sign", NOWHERE) != process.pid


async def test_processes_that_will_not_start_lead_to_calls_being_handed_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "fragile_handlers.py"
    module.write_text("import tests.service.executor.handler_deeds\n")
    settings = {"modules": ["fragile_handlers"], "env": {"PYTHONPATH": str(tmp_path)}}
    async with running_pool(**settings) as running:
        module.write_text("raise LookupError('broken by an upgrade')\n")
        key = running.submit("exit", NOWHERE)
        end = await running.end_of(key)
        assert end.outcome is CallOutcome.HANDED_BACK
        assert not running.pool.is_available
        assert (await running.end_of(running.submit("echo"))).outcome is CallOutcome.HANDED_BACK
        module.write_text("import tests.service.executor.handler_deeds\n")
        await wait_available(running)
        await running.result_of("echo")


async def test_a_pool_has_started_when_all_its_processes_are_ready_spares_too() -> None:
    async with running_pool(processes=2, spares=1) as running:
        with anyio.fail_after(60):
            await running.pool.wait_started()
        assert [process.is_ready for process in running.processes()] == [True, True, True]


async def test_a_pool_of_which_a_process_cannot_start_is_not_waited_for(tmp_path: Path) -> None:
    module = tmp_path / "fragile_once_started.py"
    module.write_text("import tests.service.executor.handler_deeds\n")
    settings = {"modules": ["fragile_once_started"], "env": {"PYTHONPATH": str(tmp_path)}}
    async with running_pool(processes=2, **settings) as running:
        module.write_text("raise LookupError('broken by an upgrade')\n")
        with anyio.fail_after(60):
            await running.pool.wait_started()
        # The first one was ready before, and serves.
        await running.result_of("echo")


async def wait_available(running: RunningPool) -> None:
    with anyio.fail_after(60):
        while not running.pool.is_available:
            await anyio.lowlevel.checkpoint()


async def test_a_process_is_replaced_after_its_share_of_calls_and_no_call_notices() -> None:
    async with running_pool(recycle_after_calls=10) as running:
        pids: set[int] = set()
        while len(pids) < 3:
            pids.add(await running.result_of("sign", NOWHERE))


async def test_a_process_that_has_grown_is_replaced_and_no_call_notices() -> None:
    async with running_pool() as running:
        (process,) = running.processes()
        grown = int(0.9 * (MEMORY_BYTES - process.first_rss_bytes))
        assert await running.result_of("keep_memory", {**NOWHERE, "value": grown}) == process.pid
        while await running.result_of("sign", NOWHERE) == process.pid:
            pass
        assert process.condemned is None
