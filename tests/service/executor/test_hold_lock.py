"""One holder at a time, in this process and among processes; an interrupted wait leaves the lock free."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest

from services.executor.hold_lock import hold_lock


@contextmanager
def held_by_another_process(path: Path) -> Iterator[subprocess.Popen[str]]:
    script = (
        "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, 2); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process


async def test_the_lock_has_one_holder_in_this_process(tmp_path: Path) -> None:
    inside = 0
    entered = 0

    async def enter() -> None:
        nonlocal inside, entered
        async with hold_lock(tmp_path / "lock"):
            inside += 1
            entered += 1
            assert inside == 1
            await anyio.lowlevel.checkpoint()
            inside -= 1

    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(enter)
    assert entered == 10


async def test_the_lock_is_waited_for_while_another_process_holds_it(tmp_path: Path) -> None:
    order: list[str] = []
    with held_by_another_process(tmp_path / "lock") as process:

        async def take() -> None:
            async with hold_lock(tmp_path / "lock"):
                order.append("taken")

        async with anyio.create_task_group() as group:
            group.start_soon(take)
            await anyio.wait_all_tasks_blocked()
            order.append("released")
            process.communicate()
    assert order == ["released", "taken"]


async def test_an_interrupted_wait_does_not_keep_the_lock(tmp_path: Path) -> None:
    with held_by_another_process(tmp_path / "lock") as process:
        async with anyio.create_task_group() as group:

            async def take() -> None:
                async with hold_lock(tmp_path / "lock"):
                    pytest.fail("another process holds it")

            group.start_soon(take)
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
        process.communicate()
    with anyio.fail_after(20):
        async with hold_lock(tmp_path / "lock"):
            pass


async def test_the_lock_is_free_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(LookupError):
        async with hold_lock(tmp_path / "lock"):
            raise LookupError
    async with hold_lock(tmp_path / "lock"):
        pass
