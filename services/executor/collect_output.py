"""Run a short program of our own to its end and keep what it says."""

import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import anyio
from msgspec import Struct

from services.executor.pump_output import pump_output
from services.executor.resolve_run_as import RunAs
from services.executor.spawn_process import OutputStream, spawn_process

_STDERR_LIMIT = 64 * 1024
# Long enough for git to remove its temporary files.
_GRACE_SECONDS = 1.0


class Collected(Struct, frozen=True):
    """How a program ended and what it said. ``code`` is negative for a signal."""

    code: int
    stdout: bytes
    stderr: bytes
    timed_out: bool = False
    truncated: bool = False


class _LimitReached(Exception):  # noqa: N818 - no error: the caller wanted no more than this
    pass


async def collect_output(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    timeout_seconds: float,
    run_as: RunAs | None = None,
    stdin: bytes = b"",
    limit_bytes: int = 1024 * 1024,
) -> Collected:
    """Run ``argv`` (see `spawn_process`), feed it ``stdin`` (at most 4 KiB), and return what it wrote.

    Output beyond ``limit_bytes`` ends the program (``truncated``), as does ``timeout_seconds``
    (``timed_out``): SIGTERM to its group, SIGKILL a second later. So does cancellation. Of standard error the
    last 64 KiB are kept.

    Raises CommandStartError.
    """
    process = spawn_process(argv, cwd=cwd, env=env, run_as=run_as, with_stdin=bool(stdin))
    kept: dict[OutputStream, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}

    async def keep(stream: OutputStream, data: bytes, _at: float) -> None:
        kept[stream] += data
        if stream == "stderr":
            del kept[stream][:-_STDERR_LIMIT]
        elif len(kept[stream]) > limit_bytes:
            raise _LimitReached

    complete = truncated = timed_out = False
    try:
        if process.stdin is not None:
            with suppress(BrokenPipeError):  # it has ended, and says so itself
                os.write(process.stdin, stdin)
            process.close_stdin()
        with anyio.move_on_after(timeout_seconds) as deadline:
            await pump_output(process, keep)
            complete = True
        timed_out = deadline.cancelled_caught
    except _LimitReached:
        truncated = True
    finally:
        if not complete:
            with anyio.CancelScope(shield=True), anyio.move_on_after(_GRACE_SECONDS):
                process.signal_group(signal.SIGTERM)
                await process.wait_exit()
        code = await process.release()
    return Collected(
        code=code,
        stdout=bytes(kept["stdout"][:limit_bytes]),
        stderr=bytes(kept["stderr"]),
        timed_out=timed_out,
        truncated=truncated,
    )
