"""An executor claims when it is ready, and not before; whoever stops it meanwhile does not wait for that."""

import os
from pathlib import Path

import anyio

from services.executor.get_ready import get_ready
from services.executor.load_definition import DefinitionLoader
from shared.stop import Stop
from tests.service.executor.run_pool import running_pool


async def test_it_is_ready_with_all_processes_and_its_parser() -> None:
    loader = DefinitionLoader()
    async with running_pool(processes=2, spares=1) as running:
        with anyio.fail_after(60):
            await get_ready(loader, running.pool, Stop())
        assert [process.is_ready for process in running.processes()] == [True, True, True]
        assert loader._child is not None
    await loader.aclose()


async def test_a_request_to_stop_does_not_wait_for_a_process_that_takes_its_time(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    loader, stop = DefinitionLoader(), Stop()
    settings = {
        "modules": ["tests.service.executor.handler_slow_to_start"],
        "env": {"SLOW_START_FOLDER": str(tmp_path)},
    }
    async with running_pool(processes=2, **settings) as running:
        returned = anyio.Event()

        async def wait() -> None:
            await get_ready(loader, running.pool, stop)
            returned.set()

        with anyio.fail_after(60):
            async with anyio.create_task_group() as group:
                group.start_soon(wait)
                while not (tmp_path / "second").exists():
                    await anyio.lowlevel.checkpoint()
                assert not returned.is_set()
                stop.request()
    await loader.aclose()
