"""What a dead executor has left is removed; what a living one has is not touched."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.executor.hold_state import HeldState, hold_state
from services.executor.open_workspace import open_workspace
from services.executor.resolve_run_as import RunAs, check_reachable, resolve_run_as
from services.executor.spawn_process import SpawnedProcess, spawn_process
from services.executor.sweep_leftovers import sweep_leftovers
from shared.errors import ConfigurationError
from tests.service.executor.await_processes import has_ended, is_running

ENV = {"PATH": os.environ["PATH"]}


@contextmanager
def holding(state: Path) -> Iterator[HeldState]:
    held = hold_state(state)
    try:
        yield held
    finally:
        held.release()


def die(held: HeldState) -> None:
    """Leave the state as kill -9 does: the kernel frees the lock, and nothing is cleaned up."""
    os.close(held._lock_fd)


def start_sleep(tmp_path: Path) -> SpawnedProcess:
    return spawn_process(["sleep", "1000"], cwd=tmp_path, env=ENV)


async def test_processes_and_workspaces_of_a_dead_executor_are_swept(tmp_path: Path) -> None:
    dead = hold_state(tmp_path / "state")
    (dead.workspaces / "job-1" / "checkout").mkdir(parents=True)
    left = start_sleep(tmp_path)
    die(dead)
    with holding(tmp_path / "state") as held:
        own = start_sleep(tmp_path)
        swept = await sweep_leftovers(held)
        assert swept.processes == [f"sleep ({left.pid})"]
        assert (swept.workspaces, swept.problems) == (["job-1"], [])
        assert not dead.workspaces.exists()
        assert has_ended(left.pid)
        assert is_running(own.pid)
        assert (await sweep_leftovers(held)).processes == []
        await own.release()
    await left.release()


async def test_a_living_executor_of_the_same_directory_is_left_alone(tmp_path: Path) -> None:
    with holding(tmp_path / "state") as other:
        process = start_sleep(tmp_path)
        (other.workspaces / "job-1").mkdir()
        with holding(tmp_path / "state") as held:
            swept = await sweep_leftovers(held)
        assert (swept.processes, swept.workspaces) == ([], [])
        assert is_running(process.pid)
        assert (other.workspaces / "job-1").is_dir()
        await process.release()


async def test_an_executor_of_another_directory_is_left_alone(tmp_path: Path) -> None:
    dead = hold_state(tmp_path / "one")
    process = start_sleep(tmp_path)
    die(dead)
    with holding(tmp_path / "two") as held:
        assert (await sweep_leftovers(held)).processes == []
    assert is_running(process.pid)
    await process.release()


async def test_children_of_a_leftover_go_too_though_they_have_shed_the_mark(tmp_path: Path) -> None:
    dead = hold_state(tmp_path / "state")
    process = spawn_process(["sh", "-c", "env -i /bin/sleep 1000 & echo $!; wait"], cwd=tmp_path, env=ENV)
    (stdout, _) = process.outputs
    os.set_blocking(stdout, True)
    pid = int(os.read(stdout, 100))
    die(dead)
    with holding(tmp_path / "state") as held:
        # The shell may end by itself once its child is dead, so who was killed is one or both.
        assert (await sweep_leftovers(held)).processes
    assert has_ended(process.pid)
    assert has_ended(pid)
    await process.release()


async def test_a_workspace_is_gone_after_the_job_whatever_the_job_did_to_it(tmp_path: Path) -> None:
    with holding(tmp_path / "state") as held:
        async with open_workspace(held, "job-1") as workspace:
            locked = workspace.home / "locked"
            locked.mkdir()
            (locked / "file").touch()
            locked.chmod(0)
            folder = os.open(workspace.home, os.O_RDONLY)
            for _ in range(30):  # longer than a path may be
                os.mkdir("d" * 200, dir_fd=folder)
                inner = os.open("d" * 200, os.O_RDONLY, dir_fd=folder)
                os.close(folder)
                folder = inner
            os.close(folder)
        assert list(held.workspaces.iterdir()) == []


async def test_a_job_leaves_no_process_behind(tmp_path: Path) -> None:
    with holding(tmp_path / "state") as held:
        async with open_workspace(held, "job-1") as workspace, open_workspace(held, "job-2") as other:
            mine, its = (
                spawn_process(["sleep", "1000"], cwd=tmp_path, env={**ENV, "HOWDAH_EXECUTOR_HOST_MARK": space.mark})
                for space in (workspace, other)
            )
            async with open_workspace(held, "job-3"):
                pass
            assert is_running(mine.pid)
            assert held.owns(workspace.mark)
        assert has_ended(mine.pid)
        assert has_ended(its.pid)
        await mine.release()
        await its.release()


async def test_another_users_workspace_can_be_used_by_that_user_only(open_path: Path, nobody: RunAs) -> None:
    before = os.umask(0o077)
    try:
        with holding(open_path / "state") as held:
            check_reachable(held.workspaces, nobody)
            async with open_workspace(held, "job-1", run_as=nobody) as workspace:
                check_reachable(workspace.home, nobody)
                assert workspace.home.stat().st_uid == nobody.uid
                assert workspace.home.stat().st_mode & 0o777 == 0o700
                assert workspace.scripts.stat().st_uid == os.getuid()
                with pytest.raises(ConfigurationError, match=r"cannot enter .*/mirrors"):
                    check_reachable(held.mirrors, nobody)
    finally:
        os.umask(before)


def test_a_user_that_does_not_exist_or_is_root_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="there is no user"):
        resolve_run_as("no-such-user-here")
    with pytest.raises(ConfigurationError, match="must not run as root"):
        resolve_run_as("root")
