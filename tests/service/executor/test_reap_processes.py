"""Nothing outlives its executor, and no executor its reaper. Each test plays both in processes of their own."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.executor.resolve_run_as import RunAs
from tests.service.executor.await_processes import WatchedProcess, has_ended

PR_SET_DUMPABLE = 4
ROOT = Path(__file__).parents[3]

PREAMBLE = r"""
from services.executor.reap_processes import become_reaped
link = become_reaped("howdah-reaper-of-tests")
import os, signal, subprocess, sys, time
def say(*words): os.write(1, (" ".join(map(str, words)) + "\n").encode())
"""

# A child, a grandchild in a session of its own, and an orphan of an orphan: forked twice, session of its own, all its
# descriptors closed, nothing in its environment.
STARTS_DESCENDANTS = """
stubborn = "exec < /dev/null; trap '' TERM HUP; echo $$; setsid sh -c 'echo $$; exec sleep 1000' & wait"
subprocess.Popen(["sh", "-c", stubborn])
subprocess.run(["sh", "-c", "(env -i setsid sh -c 'echo $$; exec sleep 1000 <&- >&- 2>&-' &)"])
"""


class Played:
    """A reaper (``process``) with its executor, and what the executor says."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def read_line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def read_pids(self, count: int) -> list[WatchedProcess]:
        return [WatchedProcess(int(self.read_line())) for _ in range(count)]

    def let_go(self) -> None:
        """Let an executor go on that reads its input."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def wait(self) -> int:
        return self.process.wait(20)


@contextmanager
def play(script: str | list[str], *, wrapper: tuple[str, ...] = ()) -> Iterator[Played]:
    argv = [*wrapper, sys.executable, "-c", PREAMBLE + script] if isinstance(script, str) else script
    process = subprocess.Popen(
        argv,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "SECRET": "postgresql://secret"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield Played(process)
    finally:
        process.terminate()
        with process:  # which closes the pipes and waits
            pass


def all_ended(watched: list[WatchedProcess]) -> bool:
    return {process.has_ended() for process in watched} == {True}


@pytest.mark.parametrize(
    ("leave", "code"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", 128 + signal.SIGKILL),
        ("os.kill(os.getpid(), signal.SIGSEGV)", 128 + signal.SIGSEGV),
        ("os._exit(7)", 7),
        ("sys.exit(0)", 0),
    ],
)
def test_however_the_executor_ends_nothing_of_it_goes_on(leave: str, code: int) -> None:
    with play(f"{STARTS_DESCENDANTS}\nsys.stdin.read()\n{leave}") as played:
        descendants = played.read_pids(3)
        played.let_go()
        assert played.wait() == code
        assert all_ended(descendants)


def test_an_executor_killed_from_outside_takes_its_descendants_along() -> None:
    with play(f"say(os.getpid())\n{STARTS_DESCENDANTS}\nsignal.pause()") as played:
        executor, *descendants = played.read_pids(4)
        os.kill(executor.pid, signal.SIGKILL)
        assert played.wait() == 128 + signal.SIGKILL
        assert all_ended([executor, *descendants])


def test_an_executor_that_hangs_after_its_pipe_has_closed_is_killed() -> None:
    with play(f"{STARTS_DESCENDANTS}\nsys.stdin.read()\nos.close(link._tie_fd)\nsignal.pause()") as played:
        descendants = played.read_pids(3)
        played.let_go()
        assert played.wait() == 128 + signal.SIGKILL
        assert all_ended(descendants)


def test_an_executor_whose_reaper_is_killed_is_told() -> None:
    script = """
import anyio
async def main():
    say(os.getpid(), link.reaper_pid)
    await link.wait_reaper_gone()
    say("gone")
anyio.run(main)
"""
    with play(script) as played:
        executor, reaper = played.read_line().split()
        assert int(reaper) == played.process.pid
        watched = WatchedProcess(int(executor))
        os.kill(played.process.pid, signal.SIGKILL)
        assert played.read_line() == "gone"
        assert watched.has_ended()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
def test_signals_to_the_reaper_reach_the_executor(number: signal.Signals) -> None:
    script = f"signal.signal({int(number)}, lambda *_: sys.exit(5))\nsay('ready')\nsignal.pause()"
    with play(script) as played:
        assert played.read_line() == "ready"
        os.kill(played.process.pid, number)
        assert played.wait() == 5


def test_a_signal_to_the_whole_group_reaches_the_executor_once() -> None:
    script = """
signal.signal(signal.SIGINT, lambda *_: say("INT"))
signal.signal(signal.SIGTERM, lambda *_: (say("TERM"), sys.exit(0)))
say("ready")
while True: signal.pause()
"""
    with play(script) as played:
        assert played.read_line() == "ready"
        os.killpg(played.process.pid, signal.SIGINT)
        assert played.read_line() == "INT"
        os.kill(played.process.pid, signal.SIGTERM)
        assert played.read_line() == "TERM"
        assert played.wait() == 0


def test_an_executor_without_handlers_ends_by_the_signal() -> None:
    with play("say('ready')\nsignal.pause()") as played:
        assert played.read_line() == "ready"
        os.kill(played.process.pid, signal.SIGTERM)
        assert played.wait() == 128 + signal.SIGTERM


def test_commands_inherit_neither_the_pipes_nor_any_other_descriptor() -> None:
    with play("subprocess.run(['ls', '/proc/self/fd'])\nsubprocess.run(['echo', 'end'])") as played:
        assert [played.read_line() for _ in range(5)] == ["0", "1", "2", "3", "end"]


def test_at_a_jobs_end_its_strays_are_found_below_the_reaper_and_others_are_not_touched() -> None:
    script = """
from pathlib import Path
import anyio
from services.executor.end_processes import end_marked
from services.executor.run_command import start_command
async def leave_stray(mark):
    async def on_output(*_): pass
    # The command ends only once the stray has its own session: before, it would end with the group.
    orphan = ["sh", "-c", "(setsid sh -c 'echo; exec sleep 1000 <&- >&- 2>&-' &) | read -r started"]
    async with start_command(
        orphan, cwd=Path("/"), env={"PATH": os.environ["PATH"]}, on_output=on_output, mark=mark,
        reaper_pid=link.reaper_pid,
    ) as command:
        await command.wait()
async def main():
    say(len(await end_marked("one", reaper_pid=link.reaper_pid)))
    await leave_stray("one")
    await leave_stray("two")
    for mark in ("one", "one", "two"):
        say(len(await end_marked(mark, reaper_pid=link.reaper_pid)))
anyio.run(main)
"""
    with play(script) as played:
        assert [played.read_line() for _ in range(4)] == ["0", "1", "0", "1"]
        assert played.wait() == 0


def test_the_reaper_carries_no_heavy_imports() -> None:
    script = """
import sys
before = set(sys.modules)
import services.executor.reap_processes
print(*sorted(set(sys.modules) - before))
"""
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    heavy = {"anyio", "asyncio", "msgspec", "subprocess", "threading", "logging", "json", "typing_extensions"}
    assert heavy.isdisjoint(ran.stdout.split())


def test_the_reaper_works_as_the_first_process_of_a_container() -> None:
    unshare = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("making a PID namespace needs root and unshare")
    script = """
signal.signal(signal.SIGTERM, lambda *_: sys.exit(6))
say(os.getppid())
signal.pause()
"""
    with play(STARTS_DESCENDANTS + script, wrapper=unshare) as played:
        lines = [played.read_line() for _ in range(4)]
        assert "1" in lines
        (reaper,) = Path(f"/proc/{played.process.pid}/task/{played.process.pid}/children").read_text().split()
        os.kill(int(reaper), signal.SIGTERM)
        assert played.wait() == 6
        assert has_ended(int(reaper))


def as_user(user: RunAs, script: str) -> list[str]:
    """The arguments that play ``script`` as ``user``, dumpable to begin with, as a process started by that user is."""
    before = f"""
import os, signal, subprocess, sys, time
from services.executor import harden_process, reap_processes
os.setgid({user.gid})
os.setuid({user.uid})
harden_process.call_prctl({PR_SET_DUMPABLE}, 1)
"""
    return [sys.executable, "-c", before + PREAMBLE + script]


def read_as(user: RunAs, *paths: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["cat", *paths],
        user=user.uid,
        group=user.gid,
        extra_groups=(),
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_same_user_can_read_the_environment_of_neither(nobody: RunAs) -> None:
    with play(as_user(nobody, "say(os.getpid())\nsignal.pause()")) as played:
        executor = int(played.read_line())
        for pid in (executor, played.process.pid):
            ran = read_as(nobody, f"/proc/{pid}/environ", f"/proc/{pid}/maps")
            assert ran.stdout == ""
            assert ran.stderr.count("Permission denied") == 2


def test_commands_can_be_debugged_though_their_executor_cannot(nobody: RunAs) -> None:
    script = "subprocess.Popen(['sh', '-c', 'echo $$; exec sleep 1000'], env={'OWN': 'yes'})\nsignal.pause()"
    with play(as_user(nobody, script)) as played:
        pid = int(played.read_line())
        assert "OWN=yes" in read_as(nobody, f"/proc/{pid}/environ").stdout
