"""Start one child process and watch it through its pidfd.

No thread and no SIGCHLD handler is needed for that, and it works the same under every event loop.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

import anyio

from services.executor.find_processes import MARK_VARIABLE
from services.executor.resolve_run_as import RunAs
from shared.errors import HowdahError

OutputStream = Literal["stdout", "stderr"]

_STUCK_SECONDS = 10.0
_SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"

_host_mark: str | None = None


class CommandStartError(HowdahError):
    """A program could not be started: no such interpreter, unusable folder, no permission."""


def mark_processes(mark: str | None) -> None:
    """From now on start every process with ``mark`` in its environment, unless it is given one of its own."""
    global _host_mark
    _host_mark = mark


class SpawnedProcess:
    """A child that leads its own session and group. Its owner must call `release` in the end.

    Until `release` has reaped it, its pid, and so its group's id, cannot be given to another process.
    """

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child
        self._code: int | None = None
        self.pid = child.pid
        self.pidfd = os.pidfd_open(child.pid)
        self.stdin = child.stdin.fileno() if child.stdin else None
        self.outputs: dict[int, OutputStream] = {}
        if child.stdout:
            self.outputs[child.stdout.fileno()] = "stdout"
        if child.stderr:
            self.outputs[child.stderr.fileno()] = "stderr"
        for fd in (*self.outputs, *([] if self.stdin is None else [self.stdin])):
            os.set_blocking(fd, False)

    async def wait_exit(self) -> None:
        """Return when the process has ended. It stays a zombie until `release`."""
        await anyio.wait_readable(self.pidfd)

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to the process and to all that stayed in its group."""
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            return  # only zombies are left, or only processes of another user (sudo)

    def close_stdin(self) -> None:
        """Let the process read the end of its standard input."""
        if self._child.stdin and not self._child.stdin.closed:
            self._child.stdin.close()
            self.stdin = None

    async def release(self) -> int:
        """Kill the group, reap the process, close every descriptor; return the code, negative for a signal.

        Not interrupted by cancellation. Only the first call does anything. A process that cannot be killed (stuck in
        the kernel, or another user's by way of sudo) is given up after 10 s.
        """
        if self._code is None:
            # The group first: once the leader is reaped, its id may belong to strangers.
            self.signal_group(signal.SIGKILL)
            with anyio.CancelScope(shield=True), anyio.move_on_after(_STUCK_SECONDS):
                await self.wait_exit()
            code = self._child.poll()
            self._code = -signal.SIGKILL if code is None else code
            for pipe in (self._child.stdin, self._child.stdout, self._child.stderr):
                if pipe is not None:
                    pipe.close()
            os.close(self.pidfd)
        return self._code


def spawn_process(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    run_as: RunAs | None = None,
    with_stdin: bool = False,
    with_stderr: bool = True,
    pass_fds: Sequence[int] = (),
) -> SpawnedProcess:
    """Start ``argv`` in a new session with exactly the environment ``env`` (and our mark).

    Standard input is empty unless ``with_stdin``; standard output and error are separate pipes, the latter
    discarded without ``with_stderr``; the umask is 022; no other descriptor than ``pass_fds`` is
    inherited. Blocks for the time of a vfork (0.3 ms; with ``run_as`` and no setpriv(1), a fork: some ms).

    Raises CommandStartError.
    """
    environment = dict(env)
    if _host_mark is not None:
        environment.setdefault(MARK_VARIABLE, _host_mark)
    started, user = (list(argv), {}) if run_as is None else _become(run_as, argv, environment)
    try:
        child = subprocess.Popen(
            started,
            bufsize=0,
            stdin=subprocess.PIPE if with_stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if with_stderr else subprocess.DEVNULL,
            cwd=cwd,
            env=environment,
            pass_fds=pass_fds,
            start_new_session=True,
            umask=0o022,
            **user,
        )
    except (OSError, ValueError) as error:
        raise CommandStartError(_explain(error, argv[0], cwd)) from error
    try:
        return SpawnedProcess(child)
    except OSError as error:  # no descriptor left for the pidfd
        with child:
            child.kill()
        raise CommandStartError(_explain(error, argv[0], cwd)) from error


def _become(run_as: RunAs, argv: Sequence[str], env: Mapping[str, str]) -> tuple[list[str], dict[str, Any]]:
    """What to start, and how, so that it runs as another user.

    Python itself would have to fork for that, which copies the page tables of this whole process: 3 ms, in which
    nothing else goes on here. setpriv(1) changes the user in a process that a vfork started.
    """
    setpriv = _setpriv(run_as)
    # Of a program that is not there, setpriv would tell by an exit code only.
    if not setpriv or shutil.which(argv[0], path=env.get("PATH")) is None:
        return list(argv), {"user": run_as.uid, "group": run_as.gid, "extra_groups": ()}
    return [*setpriv, *argv], {}


@cache
def _setpriv(run_as: RunAs) -> tuple[str, ...]:
    """The words that put a command under the user; none where there is no such program, or a lesser one."""
    program = shutil.which("setpriv", path=_SYSTEM_PATH)
    if program is None:
        return ()
    words = (program, f"--reuid={run_as.uid}", f"--regid={run_as.gid}", "--clear-groups", "--")
    tried = subprocess.run([*words, "true"], env={"PATH": _SYSTEM_PATH}, capture_output=True, check=False)
    return words if tried.returncode == 0 else ()


def _explain(error: OSError | ValueError, program: str, cwd: Path) -> str:
    if isinstance(error, ValueError):
        return f"cannot start {program}: {error} (a NUL byte, or '=' in the name of a variable)"
    if not cwd.is_dir():
        return f"cannot work in {cwd}: there is no such folder"
    if error.filename == str(cwd):
        return f"cannot work in {cwd}: {error.strerror}"
    if isinstance(error, FileNotFoundError):
        return f"cannot start {program}: it, or the interpreter that it names, is not on this machine"
    return f"cannot start {program}: {error.strerror}"
