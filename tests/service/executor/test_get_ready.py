"""An executor claims when it is ready, and not before; whoever stops it meanwhile does not wait for that."""

import math
import os
from pathlib import Path
from typing import Any

import anyio
import pytest

from services.executor.get_ready import get_ready
from services.executor.load_definition import DefinitionLoader, LoaderUnavailableError
from shared.stop import Stop
from tests.service.executor.run_pool import running_pool


async def test_it_is_ready_with_all_processes_and_its_parser() -> None:
    loader = DefinitionLoader()
    async with running_pool(processes=2, spares=1) as running:
        with anyio.fail_after(60):
            await get_ready(loader, running.pool, Stop(), most_seconds=math.inf)
        assert [process.is_ready for process in running.processes()] == [True, True, True]
        assert loader._child is not None
    await loader.aclose()


@pytest.fixture
def slow_to_start(tmp_path: Path) -> dict[str, Any]:
    """Settings of a pool of which only the first process gets ready."""
    os.mkfifo(tmp_path / "fifo")
    modules, env = ["tests.service.executor.handler_slow_to_start"], {"SLOW_START_FOLDER": str(tmp_path)}
    return {"processes": 2, "modules": modules, "env": env}


async def test_a_process_that_takes_too_long_is_not_waited_for(
    slow_to_start: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    loader = DefinitionLoader()
    async with running_pool(**slow_to_start) as running:
        with anyio.fail_after(60):
            await get_ready(loader, running.pool, Stop(), most_seconds=0.1)
        told = [record.message for record in caplog.records if record.name == get_ready.__module__]
        assert told == ["not all handler processes are ready after 0 s; claiming all the same"]
        await running.result_of("slow_to_start")
    await loader.aclose()


async def test_a_parser_that_cannot_be_started_is_told_by_its_own_error() -> None:
    async with running_pool() as running:
        with pytest.raises(LoaderUnavailableError):
            await get_ready(DefinitionLoader(loader="no.such:thing"), running.pool, Stop())


async def test_a_request_to_stop_does_not_wait_for_a_process_that_takes_its_time(
    tmp_path: Path, slow_to_start: dict[str, Any]
) -> None:
    loader, stop = DefinitionLoader(), Stop()
    async with running_pool(**slow_to_start) as running:
        returned = anyio.Event()

        async def wait() -> None:
            await get_ready(loader, running.pool, stop, most_seconds=math.inf)
            returned.set()

        with anyio.fail_after(60):
            async with anyio.create_task_group() as group:
                group.start_soon(wait)
                while not (tmp_path / "second").exists():
                    await anyio.lowlevel.checkpoint()
                assert not returned.is_set()
                stop.request()
    await loader.aclose()
