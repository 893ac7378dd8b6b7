"""Run one command of a job in a session of its own, hand on what it says, and leave nothing of it behind."""

import os
import shutil
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import anyio
from msgspec import Struct

from services.executor.end_processes import end_marked, end_processes, find_marked, wait_gone
from services.executor.find_processes import MARK_VARIABLE, ProcessEntry, list_processes, pick_descendants
from services.executor.pump_output import Grace, OnOutput, pump_output
from services.executor.resolve_run_as import RunAs
from services.executor.spawn_process import CommandStartError, SpawnedProcess, spawn_process

_SHELL_PATH = "/usr/local/bin:/usr/bin:/bin"
# How long the last output may take to be handed on once an interrupted command is dead.
_LAST_WORDS_SECONDS = 5.0


class Script(Struct, frozen=True):
    """Shell commands. They are written to ``path``, which is what ``$0`` and the shell's errors say."""

    text: str
    path: Path


class ExitStatus(Struct, frozen=True):
    """How a command ended: its exit code, or 128 plus the number of the signal that ended it."""

    code: int
    signal: int | None = None


class Command:
    """A running command; made by `start_command`."""

    def __init__(
        self,
        process: SpawnedProcess,
        grace: Grace,
        *,
        on_output: OnOutput,
        mark: str,
        grace_seconds: float,
        reaper_pid: int | None,
    ) -> None:
        self.pid = process.pid
        self._process = process
        self._on_output = on_output
        self._mark = mark
        self._grace_seconds = grace_seconds
        self._reaper_pid = reaper_pid
        self._grace = grace
        self._patience: anyio.CancelScope | None = None
        self._terminated = anyio.Event()
        self._pumping = anyio.CancelScope(shield=True)
        self._pumped = anyio.Event()
        self._failure: Exception | None = None

    async def wait(self) -> ExitStatus:
        """Hand on the output until the command ends; then end its group and return how it ended. Once only.

        Canceling this (a timeout is that too) is asking the command to end: `terminate` with the grace that
        `start_command` was given, while what it says is still handed on. What ``on_output`` raises comes out
        of here.
        """
        async with anyio.create_task_group() as group:
            group.start_soon(self._pump)
            try:
                await self._pumped.wait()
            except anyio.get_cancelled_exc_class():
                await self._end_interrupted()
                raise
        if self._failure is not None:
            raise self._failure
        code = await self._process.release()
        return ExitStatus(code=code) if code >= 0 else ExitStatus(code=128 - code, signal=-code)

    async def _pump(self) -> None:
        try:
            with self._pumping:
                await pump_output(self._process, self._on_output, self._grace)
        except Exception as error:  # noqa: BLE001 - wait() raises it, without a group around it
            self._failure = error
        finally:
            self._pumped.set()

    async def _end_interrupted(self) -> None:
        with anyio.CancelScope(shield=True):
            await self.terminate(self._grace_seconds)
            with anyio.move_on_after(_LAST_WORDS_SECONDS):
                await self._pumped.wait()
            self._pumping.cancel()

    async def terminate(self, grace_seconds: float) -> None:
        """Ask the command to end: SIGTERM to its group, SIGKILL to what is left after ``grace_seconds``.

        For use beside `wait`, which goes on handing on what the command says meanwhile. The grace lasts until
        the whole group has ended, not only the shell that leads it: a shell dies of SIGTERM at once, while
        the deploy script that it started cleans up. SIGKILL goes to the group and to each process of the job
        that has left it. A second call can only shorten the grace.
        """
        if self._patience is not None:
            self._patience.deadline = min(self._patience.deadline, anyio.current_time() + grace_seconds)
            await self._terminated.wait()
            return
        if not self._grace.begin():
            await end_marked(self._mark, reaper_pid=self._reaper_pid)
            return
        strays = {entry.key for entry in pick_descendants(list_processes(), [self.pid])}
        try:
            self._process.signal_group(signal.SIGTERM)
            with anyio.move_on_after(grace_seconds) as self._patience:
                while group := [entry for entry in list_processes() if entry.group == self.pid]:
                    await wait_gone(group)
        finally:
            await self._kill_all(strays)
            self._grace.over()
            self._terminated.set()

    async def _kill_all(self, strays: set[tuple[int, int]]) -> None:
        """SIGKILL the group, what descends from it or from ``strays``, and what has the job's mark."""

        def find() -> set[ProcessEntry]:
            processes = list_processes()
            roots = {entry for entry in processes if entry.group == self.pid or entry.key in strays}
            below = pick_descendants(processes, [self.pid, *(entry.pid for entry in roots)])
            return roots | below | find_marked(lambda mark: mark == self._mark, reaper_pid=self._reaper_pid)

        # The group in one go: one by one, a shell would see its child die, and go on for a moment.
        self._process.signal_group(signal.SIGKILL)
        await end_processes(find)

    async def close(self) -> None:
        """Free everything. A command that has not ended, or was not waited for, is killed. Uninterrupted."""
        with anyio.CancelScope(shield=True):
            if self._patience is not None:
                await self.terminate(0)
            elif self._grace.begin():
                await self._kill_all({entry.key for entry in pick_descendants(list_processes(), [self.pid])})
            await self._process.release()
            self._grace.close()


@asynccontextmanager
async def start_command(
    program: Script | Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    on_output: OnOutput,
    mark: str,
    run_as: RunAs | None = None,
    grace_seconds: float = 10.0,
    reaper_pid: int | None = None,
) -> AsyncIterator[Command]:
    """Start ``program`` in ``cwd`` with just the environment ``env`` and the ``mark``; see `spawn_process`.

    A script runs under ``bash -eo pipefail``, or ``sh -e`` where there is no bash. An argument list is
    started by the shell too, so that a program that is not there ends with 127 and the shell's own words.
    ``mark`` tells the job's processes from all others, also when they have left the group; ``reaper_pid``
    shortens the search for them.

    Leaving the context before the command has ended kills it and all that it started, without grace.

    Raises CommandStartError: no shell, unusable folder.
    """
    if isinstance(program, Script):
        argv = _write_script(program, run_as)
    else:
        argv = [_find_shells()[-1][0], "-c", 'exec "$@"', "sh", *program]
    grace = Grace()
    try:
        process = spawn_process(argv, cwd=cwd, env={**env, MARK_VARIABLE: mark}, run_as=run_as)
    except BaseException:
        grace.close()
        raise
    command = Command(
        process, grace, on_output=on_output, mark=mark, grace_seconds=grace_seconds, reaper_pid=reaper_pid
    )
    try:
        yield command
    finally:
        await command.close()


def _write_script(script: Script, run_as: RunAs | None) -> list[str]:
    # Never through a link, and owned by descriptor: the folder may be one that an earlier step could write
    # to.
    fd = os.open(script.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        if run_as is not None:
            os.fchown(fd, run_as.uid, run_as.gid)
        file.write(script.text.encode(errors="surrogateescape"))
    return [*_find_shells()[0], str(script.path)]


@cache
def _find_shells() -> list[tuple[str, ...]]:
    """The shells of this machine with their options: the one for scripts first, plain ``sh`` last."""
    sh = shutil.which("sh", path=_SHELL_PATH)
    bash = shutil.which("bash", path=_SHELL_PATH)
    if sh is None:
        raise CommandStartError(f"there is no sh in {_SHELL_PATH}")
    return [*([] if bash is None else [(bash, "-eo", "pipefail")]), (sh, "-e")]
