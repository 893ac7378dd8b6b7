"""A handler process knows nothing of the executor, prints into its log, and leaves nothing running behind."""

import logging
import os
import signal
from pathlib import Path

import anyio
import pytest

from services.executor.find_processes import read_mark
from services.executor.handler_log import LineLog
from services.executor.resolve_run_as import RunAs
from services.executor.spawn_process import mark_processes
from tests.service.executor.await_processes import WatchedProcess, has_ended
from tests.service.executor.run_pool import RunningPool, running_pool

NOWHERE = {"log": "/dev/null"}


async def test_handlers_see_the_environment_that_is_given_to_them_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOWDAH_DATABASE_URL", "postgresql://secret")
    async with running_pool(env={"SMTP_HOST": "mail", "PATH": "/bin"}, mark=None) as running:
        found = await running.result_of("look_around")
    assert found["environment"] == {
        "SMTP_HOST": "mail",
        "PATH": "/bin",
        "LC_ALL": "C.UTF-8",
        "MALLOC_ARENA_MAX": "2",
    }


async def test_handlers_have_no_descriptor_of_the_executors() -> None:
    with open("/etc/hostname") as file:  # noqa: ASYNC230, PTH123 - any open file
        os.set_inheritable(file.fileno(), True)
        async with running_pool() as running:
            found = await running.result_of("look_around")
    kinds = {"pipe", "anon_inode", "socket", "/dev/null", "/memfd"}
    assert {name.partition(":")[0] for name in found["descriptors"] if not name.startswith("/proc")} <= kinds
    assert found["leads_session"]


async def test_handlers_run_as_another_user_where_the_executor_is_root(nobody: RunAs) -> None:
    async with running_pool(run_as=nobody) as running:
        found = await running.result_of("look_around")
    assert (found["uid"], found["gid"], found["groups"]) == (nobody.uid, nobody.gid, [])
    assert (found["parent_memory"], found["parent_environment"]) == (False, False)


async def test_processes_carry_the_mark_that_a_sweep_looks_for() -> None:
    async with running_pool(mark="a-mark") as running:
        await running.result_of("echo")
        assert [read_mark(process.pid) for process in running.processes()] == ["a-mark.1"]
    mark_processes("the-executors")
    async with running_pool(mark=None) as running:
        assert [read_mark(process.pid) for process in running.processes()] == ["the-executors"]


async def test_what_a_handler_started_ends_with_its_process_even_if_it_has_left_the_session() -> None:
    async with running_pool() as running:
        (process,) = running.processes()
        stray = WatchedProcess(await running.result_of("leave_process", NOWHERE))
        os.kill(process.pid, signal.SIGKILL)
        await running.result_of("echo")
        assert await anyio.to_thread.run_sync(stray.has_ended)


async def test_nothing_is_left_when_the_pool_is_closed_without_ever_having_run() -> None:
    running = RunningPool()
    await running.pool.start()
    (process,) = running.processes()
    await running.pool.aclose()
    assert has_ended(process.pid)


async def test_spares_and_all_end_with_the_pool() -> None:
    async with running_pool(processes=2, spares=2) as running:
        await running.result_of("echo")
        with anyio.fail_after(60):
            while len(running.processes()) < 4:
                await anyio.lowlevel.checkpoint()
        pids = [process.pid for process in running.processes()]
    assert all(has_ended(pid) for pid in pids)


async def test_a_spare_takes_over_from_a_process_that_dies() -> None:
    async with running_pool(spares=1) as running:
        with anyio.fail_after(60):
            while [process.is_ready for process in running.processes()] != [True, True]:
                await anyio.lowlevel.checkpoint()
        first, spare = running.processes()
        assert await running.result_of("sign", NOWHERE) == first.pid
        os.kill(first.pid, signal.SIGKILL)
        key = running.submit("sign", NOWHERE)
        assert (await running.end_of(key)).result == str(spare.pid).encode()


async def test_what_handlers_print_is_logged_and_their_input_is_empty(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with running_pool() as running:
        (process,) = running.processes()
        assert await running.result_of("print_line", {**NOWHERE, "name": "said by a handler"}) == ""
        await running.result_of("log_line", {**NOWHERE, "name": "logged by a handler"})
    lines = {record.getMessage(): record for record in caplog.records}
    assert vars(lines["said by a handler"])["handler_pid"] == process.pid
    (logged,) = [line for line in lines if "logged by a handler" in line]
    assert logged.startswith("WARNING deeds [job 00000000-0000-0000-0000-0000000000")


async def test_a_handler_that_prints_without_end_neither_fills_the_log_nor_stands_still(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    async with running_pool() as running:
        await running.result_of("print_much", {**NOWHERE, "value": 20_000_000})
    printed = sum(len(record.getMessage()) for record in caplog.records if record.getMessage().startswith("xxx"))
    assert printed < 20_000_000 / 4
    assert any("bytes were dropped" in record.getMessage() for record in caplog.records)


async def test_the_last_words_of_a_process_that_crashes_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with running_pool() as running:
        await running.end_of(running.submit("crash", NOWHERE))
    assert any("Fatal Python error: Segmentation fault" in record.getMessage() for record in caplog.records)
    assert any("in crash" in record.getMessage() for record in caplog.records)


def test_lines_are_kept_whole_cut_when_long_and_dropped_beyond_the_budget(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    log = LineLog(1)
    assert log.feed(b"one\ntw", 10.0)
    assert log.feed(b"o\n\n" + b"y" * 5000, 10.1)
    assert log.feed(b"z\n", 10.2)
    assert not log.feed(b"q" * 65536, 10.3)
    assert not log.feed(b"more", 10.4)
    assert log.feed(b"\nagain\n", 11.0)
    log.finish()
    messages = [record.getMessage() for record in caplog.records]
    assert messages[:4] == ["one", "two", "y" * 4096, "y" * 904 + "z"]
    assert "handlers print too much: 5015 bytes were dropped" in messages
    assert messages[-1] == "again"


async def test_the_working_folder_is_not_the_programs(tmp_path: Path) -> None:
    async with running_pool() as running:
        assert (await running.result_of("look_around"))["folder"] == "/"
