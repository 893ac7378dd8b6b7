"""A command's start, output and end: nothing is lost, nothing is left."""

import fcntl
import os
import resource
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import anyio
import pytest

from services.executor import pace_reading, pump_output, run_command, spawn_process
from services.executor.end_processes import end_marked
from services.executor.find_processes import MARK_VARIABLE
from services.executor.resolve_run_as import RunAs
from services.executor.run_command import ExitStatus, Script, start_command
from services.executor.spawn_process import CommandStartError, OutputStream
from tests.service.executor.await_processes import has_ended, is_running
from tests.service.executor.record_output import RecordedOutput

ENV = {"PATH": os.environ["PATH"]}
# Its own for each test process: whoever carries it may be killed.
MARK = f"test-of-run-command-{os.getpid()}"


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param}


async def run(
    program: str | Sequence[str],
    cwd: Path,
    output: RecordedOutput,
    *,
    env: dict[str, str] = ENV,
    run_as: RunAs | None = None,
) -> ExitStatus:
    to_start = Script(program, cwd / "step-1") if isinstance(program, str) else program
    with anyio.fail_after(20):
        async with start_command(to_start, cwd=cwd, env=env, on_output=output, mark=MARK, run_as=run_as) as command:
            return await command.wait()


@pytest.fixture
def go(tmp_path: Path) -> Iterator[Callable[[], int]]:
    """Lets a command go on that reads a line from the fifo ``go``."""
    os.mkfifo(tmp_path / "go")
    fd = os.open(tmp_path / "go", os.O_RDWR)
    yield lambda: os.write(fd, b"go\n")
    os.close(fd)


async def test_streams_are_told_apart_and_keep_their_bytes(tmp_path: Path, output: RecordedOutput) -> None:
    status = await run(r"printf 'a\0\xff\033[1m\r\n'; printf 'e\xc3' >&2", tmp_path, output)
    assert status == ExitStatus(code=0)
    assert (output.stdout, output.stderr) == (b"a\0\xff\x1b[1m\r\n", b"e\xc3")


async def test_the_exit_code_is_the_commands_own(tmp_path: Path, output: RecordedOutput) -> None:
    assert await run("exit 3", tmp_path, output) == ExitStatus(code=3)


async def test_a_command_killed_by_a_signal_ends_with_128_and_its_number(
    tmp_path: Path, output: RecordedOutput
) -> None:
    assert await run("kill -9 $$", tmp_path, output) == ExitStatus(code=137, signal=signal.SIGKILL)


async def test_a_script_stops_at_the_first_failure_and_in_pipes(tmp_path: Path, output: RecordedOutput) -> None:
    assert (await run("false | true\necho reached", tmp_path, output)).code == 1
    assert output.stdout == b""


async def test_a_script_for_plain_sh_stops_at_the_first_failure(
    tmp_path: Path, output: RecordedOutput, monkeypatch: pytest.MonkeyPatch
) -> None:
    shells = run_command._find_shells()
    monkeypatch.setattr(run_command, "_find_shells", lambda: shells[-1:])
    assert (await run("false\necho reached", tmp_path, output)).code == 1
    assert output.stdout == b""


async def test_a_command_that_is_not_found_ends_with_127_and_says_where(tmp_path: Path, output: RecordedOutput) -> None:
    assert (await run("\nno-such-program", tmp_path, output)).code == 127
    assert output.stderr == f"{tmp_path}/step-1: line 2: no-such-program: command not found\n".encode()


async def test_a_program_that_is_not_found_ends_with_127(tmp_path: Path, output: RecordedOutput) -> None:
    assert (await run(["no-such-program"], tmp_path, output)).code == 127
    assert b"no-such-program" in output.stderr


async def test_a_script_may_be_longer_than_an_argument_list(tmp_path: Path, output: RecordedOutput) -> None:
    script = ("#" + "x" * 1000 + "\n") * 3000 + "echo end"
    assert len(script) > os.sysconf("SC_ARG_MAX")
    assert (await run(script, tmp_path, output)).code == 0
    assert output.stdout == b"end\n"


async def test_arguments_are_not_read_by_the_shell(tmp_path: Path, output: RecordedOutput) -> None:
    await run(["echo", "$HOME", "a  b", "*", ";exit 1"], tmp_path, output)
    assert output.stdout == b"$HOME a  b * ;exit 1\n"


async def test_the_environment_is_exactly_what_was_given(
    tmp_path: Path, output: RecordedOutput, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOWDAH_DATABASE_URL", "postgresql://secret")
    await run(["env"], tmp_path, output, env={**ENV, "A": "1"})
    names = {line.partition(b"=")[0].decode() for line in output.stdout.splitlines()}
    assert names - {"PWD", "OLDPWD", "SHLVL", "_"} == {"PATH", "A", MARK_VARIABLE}


async def test_a_command_inherits_no_descriptor(tmp_path: Path, output: RecordedOutput) -> None:
    with (tmp_path / "secret").open("w") as secret:
        os.set_inheritable(secret.fileno(), True)
        await run(["ls", "/proc/self/fd"], tmp_path, output)
    # The fourth is the folder that ls is reading.
    assert output.stdout.split() == [b"0", b"1", b"2", b"3"]


async def test_a_commands_input_is_empty(tmp_path: Path, output: RecordedOutput) -> None:
    assert (await run("cat; read -r", tmp_path, output)).code == 1


async def test_a_command_leads_its_own_session_with_the_usual_umask(tmp_path: Path, output: RecordedOutput) -> None:
    before = os.umask(0o077)
    try:
        await run(["sh", "-c", "umask; cat /proc/$$/stat"], tmp_path, output)
    finally:
        os.umask(before)
    umask, pid, _, _, _, group, session, *_ = output.stdout.split()
    assert (umask, group, session) == (b"0022", pid, pid)


async def test_a_background_process_does_not_hold_the_job(tmp_path: Path, output: RecordedOutput) -> None:
    await run("sleep 1000 & echo $!", tmp_path, output)
    assert has_ended(int(output.stdout))


async def test_a_process_that_left_the_group_does_not_hold_the_job_and_ends_with_it(
    tmp_path: Path, output: RecordedOutput, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pump_output, "_DRAIN_SECONDS", 0.05)
    os.mkfifo(tmp_path / "pid")
    await run("(setsid sh -c 'echo $$ > pid; exec sleep 1000' &)\nread -r pid < pid; echo $pid", tmp_path, output)
    pid = int(output.stdout)
    assert is_running(pid)
    assert [entry.pid for entry in await end_marked(MARK)] == [pid]
    assert has_ended(pid)


async def test_everything_written_before_the_end_is_handed_on_however_slow_the_reader(
    tmp_path: Path, output: RecordedOutput, go: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pump_output, "_DRAIN_SECONDS", 0.0)
    output.block()
    script = Script("echo begin; read -r < go; head -c 600000 /dev/zero; head -c 600000 /dev/zero >&2", tmp_path / "s")
    async with (
        start_command(script, cwd=tmp_path, env=ENV, on_output=output, mark=MARK) as command,
        anyio.create_task_group() as group,
    ):
        for fd in command._process.outputs:  # pipes that hold more than one read takes, as a command may make them
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, 1024 * 1024)
        group.start_soon(command.wait)
        await output.wait_for(b"begin")
        go()
        await command._process.wait_exit()
        output.gate.set()
    assert (len(output.stdout), len(output.stderr)) == (600006, 600000)


async def test_nothing_is_read_while_the_output_is_being_handed_on(tmp_path: Path) -> None:
    size = 5_000_000
    handing_on = 0
    sizes: list[int] = []

    async def on_output(_stream: OutputStream, data: bytes, _at: float) -> None:
        nonlocal handing_on
        handing_on += 1
        assert handing_on == 1
        sizes.append(len(data))
        for _ in range(3):
            await anyio.lowlevel.checkpoint()
        handing_on -= 1

    program = ["head", "-c", str(size), "/dev/zero"]
    async with start_command(program, cwd=tmp_path, env=ENV, on_output=on_output, mark=MARK) as command:
        await command.wait()
    assert sum(sizes) == size
    assert max(sizes) <= 64 * 1024


async def test_lines_gather_until_the_other_stream_speaks_or_the_command_ends(
    tmp_path: Path, output: RecordedOutput, go: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace_reading, "GATHER_SECONDS", 1000.0)
    script = "echo 1; read -r < go; echo 2; echo 3; echo 4 >&2; echo 5 >&2; echo 6 >&2; echo 7"
    async with (
        start_command(Script(script, tmp_path / "s"), cwd=tmp_path, env=ENV, on_output=output, mark=MARK) as command,
        anyio.create_task_group() as group,
    ):
        with anyio.fail_after(20):
            group.start_soon(command.wait)
            await output.wait_for(b"1")
            go()
            await output.wait_for(b"7")
    said = [line for stream, data, _ in output.pieces for line in data.split()]
    assert said[:3] == [b"1", b"2", b"3"]
    assert (output.stdout, output.stderr) == (b"1\n2\n3\n7\n", b"4\n5\n6\n")
    assert len(output.pieces) < 7


async def test_a_chatty_command_does_not_keep_the_event_loop_from_others(tmp_path: Path) -> None:
    turns = 0
    seen: list[int] = []

    async def on_output(_stream: OutputStream, _data: bytes, _at: float) -> None:
        seen.append(turns)
        # More has always come when we are done: the pump finds no reason of its own to wait.
        (stdout, _) = command._process.outputs
        while len(seen) < 20 and not pump_output._count_waiting(stdout):
            pass

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await anyio.lowlevel.checkpoint()

    async with (
        start_command(["yes"], cwd=tmp_path, env=ENV, on_output=on_output, mark=MARK, grace_seconds=0) as command,
        anyio.create_task_group() as group,
    ):
        group.start_soon(take_turns)
        group.start_soon(command.wait)
        while len(seen) < 20:
            await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    assert len(set(seen[:20])) == 20


async def terminate_when_ready(script: str, cwd: Path, output: RecordedOutput, *, grace_seconds: float) -> ExitStatus:
    """Start the script, terminate it once it has said ``ready``, and return how it ended."""
    async with (
        start_command(Script(script, cwd / "step-1"), cwd=cwd, env=ENV, on_output=output, mark=MARK) as command,
        anyio.create_task_group() as group,
    ):

        async def terminate() -> None:
            await output.wait_for(b"ready")
            await command.terminate(grace_seconds)

        group.start_soon(terminate)
        with anyio.fail_after(20):
            return await command.wait()
    raise AssertionError


async def test_a_terminated_command_may_clean_up_and_be_heard(tmp_path: Path, output: RecordedOutput) -> None:
    script = "trap 'echo cleaned; exit 4' TERM; sleep 1000 & echo ready; wait"
    assert await terminate_when_ready(script, tmp_path, output, grace_seconds=20) == ExitStatus(code=4)
    assert output.stdout == b"ready\ncleaned\n"


async def test_the_grace_is_the_groups_not_only_its_shells(
    tmp_path: Path, output: RecordedOutput, go: Callable[[], int]
) -> None:
    # The leading shell dies of SIGTERM at once; the inner one cleans up, which takes until we let it go.
    clean_up = "while [ -e /proc/$1/exe ]; do :; done; echo alone; read -r < go; echo cleaned; exit"
    (tmp_path / "inner").write_text(f"trap '{clean_up}' TERM\necho ready; while :; do sleep 1000 & wait; done")
    script = Script("bash inner $$\ntrue", tmp_path / "step-1")
    statuses = []
    async with (
        start_command(script, cwd=tmp_path, env=ENV, on_output=output, mark=MARK) as command,
        anyio.create_task_group() as group,
    ):

        async def wait() -> None:
            statuses.append(await command.wait())

        group.start_soon(wait)
        await output.wait_for(b"ready")
        group.start_soon(command.terminate, 20)
        await output.wait_for(b"alone")
        await anyio.wait_all_tasks_blocked()
        go()
    assert statuses == [ExitStatus(code=143, signal=signal.SIGTERM)]
    assert output.stdout == b"ready\nalone\ncleaned\n"


async def test_what_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path, output: RecordedOutput) -> None:
    script = "trap '' TERM; echo ready; while :; do sleep 1000; done"
    status = await terminate_when_ready(script, tmp_path, output, grace_seconds=0.01)
    assert status == ExitStatus(code=137, signal=signal.SIGKILL)


@pytest.mark.parametrize(
    "escape",
    [
        "(setsid sh $STRAY &)",
        "(setsid sh -c 'trap \"\" TERM; sh $STRAY' &)",
        "env -i PATH=$PATH setsid sh $STRAY &",
        'env -i PATH=$PATH setsid sh -c "setsid sh $STRAY & sleep 1000" &',
    ],
    ids=["an orphan", "an orphan that ignores SIGTERM", "without the mark", "without the mark, two deep"],
)
async def test_terminate_reaches_what_left_the_group(tmp_path: Path, output: RecordedOutput, escape: str) -> None:
    stray, pid = tmp_path / "stray", tmp_path / "pid"
    os.mkfifo(pid)
    stray.write_text(f"echo $$ > {pid}; exec sleep 1000")
    script = f"STRAY={stray}; export STRAY; {escape}\nread -r pid < {pid}; echo $pid ready; sleep 1000"
    await terminate_when_ready(script, tmp_path, output, grace_seconds=0)
    assert has_ended(int(output.stdout.split()[0]))


async def test_a_second_terminate_shortens_the_grace(tmp_path: Path, output: RecordedOutput) -> None:
    script = Script("trap '' TERM; echo ready; while :; do sleep 1000; done", tmp_path / "step-1")
    async with (
        start_command(script, cwd=tmp_path, env=ENV, on_output=output, mark=MARK) as command,
        anyio.create_task_group() as group,
    ):
        group.start_soon(command.wait)
        await output.wait_for(b"ready")
        group.start_soon(command.terminate, 1000)
        await anyio.wait_all_tasks_blocked()
        with anyio.fail_after(20):
            await command.terminate(0)


async def test_canceling_the_wait_terminates_with_grace(tmp_path: Path, output: RecordedOutput) -> None:
    script = Script("trap 'echo cleaned; exit 4' TERM; sleep 1000 & echo ready; wait", tmp_path / "step-1")
    async with start_command(script, cwd=tmp_path, env=ENV, on_output=output, mark=MARK) as command:
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(command.wait)
                await output.wait_for(b"ready")
                scope.cancel()
    assert output.stdout == b"ready\ncleaned\n"
    assert has_ended(command.pid)


async def test_leaving_the_context_kills_all_of_it_at_once(tmp_path: Path, output: RecordedOutput) -> None:
    script = Script("trap '' TERM; setsid sleep 1000 & sleep 1000 & wait", tmp_path / "step-1")
    async with start_command(script, cwd=tmp_path, env=ENV, on_output=output, mark=MARK) as command:
        pass
    assert has_ended(command.pid)
    assert await end_marked(MARK) == []


async def test_what_the_callback_raises_comes_out_and_ends_the_command(tmp_path: Path) -> None:
    async def on_output(_stream: OutputStream, _data: bytes, _at: float) -> None:
        raise LookupError("no more room")

    with pytest.raises(LookupError, match="no more room"):
        async with start_command(
            ["sh", "-c", "echo x; sleep 1000"], cwd=tmp_path, env=ENV, on_output=on_output, mark=MARK
        ) as command:
            await command.wait()
    assert has_ended(command.pid)


async def test_a_missing_folder_is_named(tmp_path: Path, output: RecordedOutput) -> None:
    with pytest.raises(CommandStartError, match=r"cannot work in .*/gone: there is no such folder"):
        async with start_command(["true"], cwd=tmp_path / "gone", env=ENV, on_output=output, mark=MARK):
            pass


async def test_a_file_is_no_folder_to_work_in(tmp_path: Path, output: RecordedOutput) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CommandStartError, match=r"cannot work in .*/file"):
        async with start_command(["true"], cwd=tmp_path / "file", env=ENV, on_output=output, mark=MARK):
            pass


async def test_a_nul_byte_in_the_environment_is_refused_clearly(tmp_path: Path, output: RecordedOutput) -> None:
    with pytest.raises(CommandStartError, match="NUL byte"):
        async with start_command(["true"], cwd=tmp_path, env={"A": "a\0b"}, on_output=output, mark=MARK):
            pass


async def test_running_out_of_descriptors_leaks_nothing(tmp_path: Path, output: RecordedOutput) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with (tmp_path / "probe").open("w") as probe:
        lowest = probe.fileno()
    outcomes = []
    for spare in range(20):
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + spare, hard))
        try:
            outcomes.append((await run(["true"], tmp_path, output)).code)
        except (OSError, CommandStartError):
            outcomes.append(-1)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert outcomes[0] == -1
    assert outcomes == sorted(outcomes)
    assert outcomes[-1] == 0


async def test_a_process_that_cannot_be_killed_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spawn_process, "_STUCK_SECONDS", 0.01)
    process = spawn_process.spawn_process(["sleep", "1000"], cwd=tmp_path, env=ENV)
    # As when it belongs to another user.
    monkeypatch.setattr(process, "signal_group", lambda _number: None)
    assert await process.release() == -signal.SIGKILL
    process._child.kill()
    process._child.wait()


async def test_a_script_is_never_written_through_a_link(tmp_path: Path, output: RecordedOutput) -> None:
    (tmp_path / "target").write_text("precious")
    (tmp_path / "step-1").symlink_to(tmp_path / "target")
    with pytest.raises(FileExistsError):
        await run("true", tmp_path, output)
    assert (tmp_path / "target").read_text() == "precious"


@pytest.mark.parametrize("has_setpriv", [True, False])
async def test_a_command_runs_as_another_user_without_our_groups_and_rights(
    open_path: Path, output: RecordedOutput, nobody: RunAs, monkeypatch: pytest.MonkeyPatch, has_setpriv: bool
) -> None:
    if not has_setpriv:
        monkeypatch.setattr(spawn_process, "_setpriv", lambda _run_as: ())
    elif not spawn_process._setpriv(nobody):
        pytest.skip("this machine's setpriv(1) does not change users")
    rights = "grep -E '^Cap(Prm|Eff|Amb)' /proc/self/status | cut -f 2 | sort -u"
    await run(f"id -u; id -g; id -G; {rights}; cat $0 > /dev/null", open_path, output, run_as=nobody)
    assert output.stdout.split() == [*(str(n).encode() for n in (nobody.uid, nobody.gid, nobody.gid)), b"0" * 16]
    assert output.stderr == b""


def test_a_program_that_is_not_there_is_told_as_such_for_another_user_too(open_path: Path, nobody: RunAs) -> None:
    with pytest.raises(CommandStartError, match="no-such-program"):
        spawn_process.spawn_process(["no-such-program"], cwd=open_path, env=ENV, run_as=nobody)


async def test_another_users_command_is_terminated_too(open_path: Path, output: RecordedOutput, nobody: RunAs) -> None:
    script = Script("trap '' TERM; (setsid sleep 1000 &) ; echo ready; sleep 1000; sleep 1000", open_path / "step-1")
    async with start_command(
        script, cwd=open_path, env=ENV, on_output=output, mark=MARK, run_as=nobody, grace_seconds=0
    ) as command:
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(command.wait)
                await output.wait_for(b"ready")
                scope.cancel()
    assert has_ended(command.pid)
    assert await end_marked(MARK) == []
