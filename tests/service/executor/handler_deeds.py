"""Handlers that behave, and handlers that behave as badly as code can."""

import asyncio
import ctypes
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import anyio
import msgspec
from msgspec import Struct

from shared.jobs import (
    JobContext,
    JobError,
    PermanentError,
    RetryableError,
    RetryPolicy,
    Snooze,
    batch_handler,
    handler,
)

left_behind: ContextVar[str] = ContextVar("left_behind", default="nothing")


class Deed(Struct):
    """What many of the handlers take: a file to sign in, so that each run of each is on record."""

    log: str
    name: str = ""
    value: int = 0


def sign(deed: Deed) -> None:
    """Put the name on record."""
    with Path(deed.log).open("a") as file:
        file.write(f"{deed.name}\n")


@handler("echo")
async def echo(payload: Any, context: JobContext) -> Any:
    """Give back what was given.

    This is a second paragraph.
    """
    return payload


@handler("describe")
async def describe(payload: None, context: JobContext) -> dict[str, Any]:
    return {
        "job_id": str(context.job_id),
        "job_type": context.job_type,
        "queue": context.queue,
        "epoch": context.epoch,
        "attempt": context.attempt,
        "max_attempts": context.max_attempts,
        "metadata": context.metadata,
        "traceparent": context.traceparent,
        "has_time": 0 < context.remaining_seconds <= 60,
        "is_canceled": context.is_canceled,
    }


@handler("sign")
async def sign_async(payload: Deed, context: JobContext) -> int:
    sign(payload)
    return os.getpid()


@handler("sign_sync")
def sign_sync(payload: Deed, context: JobContext) -> int:
    sign(payload)
    return os.getpid()


@handler("wait")
async def wait(payload: Deed, context: JobContext) -> None:
    """Sign, say so, and wait until canceled."""
    sign(payload)
    await context.progress(0.5, payload.name)
    await asyncio.Event().wait()


@handler("wait_for_line")
async def wait_for_line(payload: Deed, context: JobContext) -> str:
    """Sign, say so, and wait for a line from the fifo beside the record."""
    sign(payload)
    context.report_progress(0.5, payload.name)

    def read_line() -> str:
        with Path(payload.log).with_name("go").open() as fifo:
            return fifo.readline().strip()

    return await asyncio.to_thread(read_line)


@handler("wait_sync")
def wait_sync(payload: Deed, context: JobContext) -> None:
    """Sign, say so, and wait until canceled."""
    sign(payload)
    context.report_progress(0.5, payload.name)
    while True:
        context.check_canceled()
        time.sleep(0.002)


@handler("finish_late")
def finish_late(payload: Deed, context: JobContext) -> str:
    """Notice the cancellation, and finish nevertheless."""
    context.report_progress(0.5, payload.name)
    while not context.is_canceled:
        time.sleep(0.002)
    return "done all the same"


@handler("stubborn")
async def stubborn(payload: Deed, context: JobContext) -> None:
    sign(payload)
    await context.progress(0.5, payload.name)
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            continue


@handler("stubborn_sync")
def stubborn_sync(payload: Deed, context: JobContext) -> None:
    sign(payload)
    context.report_progress(0.5, payload.name)
    while True:
        time.sleep(3600)


@handler("clean_up")
async def clean_up(payload: Deed, context: JobContext) -> None:
    """Take a moment to tidy up after a cancellation, and fail in doing so."""
    await context.progress(0.5, payload.name)
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0.01)
        sign(payload)
        raise RuntimeError("while tidying up")


# --- errors


class Odd(Struct):
    kind: str
    seconds: float = 0.0


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even its message")


def stop_running(seconds: float) -> Exception:
    sys.exit("enough")


RAISED: dict[str, Callable[[float], BaseException]] = {
    "permanent": lambda _: PermanentError("there is no such user", reason="unknown_user"),
    "retryable": lambda seconds: RetryableError("the server is busy", seconds),
    "retryable_by_policy": lambda _: RetryableError("the server is busy"),
    "snooze": Snooze,
    "unexpected": lambda _: LookupError("no such\0key \udc80"),
    "given_up_on": lambda _: ZeroDivisionError("by zero"),
    "system_exit": stop_running,
    "keyboard_interrupt": lambda _: KeyboardInterrupt(),
    "stop_iteration": lambda _: StopIteration(),
    "stop_async_iteration": lambda _: StopAsyncIteration(),
    "generator_exit": lambda _: GeneratorExit(),
    "canceled_by_nobody": lambda _: asyncio.CancelledError(),
    "unspeakable": lambda _: UnspeakableError(),
}
RETURNED: dict[str, Callable[[float], object]] = {
    "return_permanent": lambda _: PermanentError("said quietly"),
    "return_snooze": lambda seconds: Snooze(seconds, "not before noon"),
    "memory_error": lambda _: bytearray(2**60),
    "no_json": lambda _: object(),
    "raw_rubbish": lambda _: msgspec.Raw(b"{rubbish"),
    "nul": lambda _: ["\\u0000 is harmless", "\0 is not"],
    "backslash": lambda _: "\\u0000 is harmless",
    "too_large": lambda _: "x" * (1024 * 1024),
    "not_too_large": lambda _: "x" * (1024 * 1024 - 2),
}


@handler(
    "odd",
    give_up_on=(ZeroDivisionError,),
    retry=RetryPolicy(first_seconds=100.0, factor=1.0, most_seconds=100.0),
)
async def odd(payload: Odd, context: JobContext) -> Any | JobError:
    if payload.kind in RAISED:
        raise RAISED[payload.kind](payload.seconds)
    return RETURNED[payload.kind](payload.seconds)


@handler("cancel_self")
async def cancel_self(payload: None, context: JobContext) -> str:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    return "finished first"


@handler("odd_sync", retry_on=(ConnectionError,))
def odd_sync(payload: Odd, context: JobContext) -> None:
    match payload.kind:
        case "stop_iteration":
            raise StopIteration
        case "system_exit":
            sys.exit("enough")
        case "connection":
            raise ConnectionResetError("by peer")
        case "canceled":
            raise asyncio.CancelledError
    raise LookupError("no retry")


@handler("cancel_everything")
async def cancel_everything(payload: None, context: JobContext) -> None:
    """Cancel every task there is, as only a test suite or a very confused library would."""
    await asyncio.sleep(0)
    for task in asyncio.all_tasks():
        task.cancel()


@handler("stop_loop")
async def stop_loop(payload: None, context: JobContext) -> None:
    asyncio.get_running_loop().stop()
    await asyncio.sleep(0)


@handler("use_asyncio")
async def use_asyncio(payload: None, context: JobContext) -> list[Any]:
    """What asyncio offers works here as elsewhere: groups, timeouts, threads, processes."""
    done: list[Any] = []
    async with asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(asyncio.sleep(0.001 * number))
    try:
        async with asyncio.timeout(0.001):
            await asyncio.Event().wait()
    except TimeoutError:
        done.append("timeout")
    done.append(await asyncio.to_thread(lambda: "thread"))
    process = await asyncio.create_subprocess_exec("sh", "-c", "exit 3")
    done.append(await process.wait())
    return done


@handler("use_anyio")
async def use_anyio(payload: None, context: JobContext) -> list[Any]:
    """And so does anyio."""
    done: list[Any] = []
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.sleep, 3600)
        group.cancel_scope.cancel()
    with anyio.move_on_after(0.001) as scope:
        await anyio.sleep_forever()
    done.append(scope.cancelled_caught)
    done.append(await anyio.to_thread.run_sync(lambda: "thread"))
    with anyio.CancelScope(shield=True):
        done.append((await anyio.run_process(["sh", "-c", "exit 3"], check=False)).returncode)
    return done


@handler("leave_context")
async def leave_context(payload: None, context: JobContext) -> str:
    found = left_behind.get()
    left_behind.set("a secret of the last job")
    await asyncio.sleep(0)
    return found + left_behind.get()


# --- batches


@batch_handler("many", most=3)
async def many(payloads: Sequence[int], contexts: Sequence[JobContext]) -> list[list[int] | JobError]:
    """Say who was together; odd numbers are refused."""
    await asyncio.sleep(0)
    together = list(payloads)
    return [PermanentError(f"{number} is odd") if number % 2 else together for number in payloads]


@batch_handler("many_sync", most=10)
def many_sync(payloads: Sequence[int], contexts: Sequence[JobContext]) -> list[int]:
    if 13 in payloads:
        raise LookupError("unlucky")
    return [number * 2 for number in payloads if number != 7]


@batch_handler("many_wait", most=10)
async def many_wait(payloads: Sequence[Deed], contexts: Sequence[JobContext]) -> list[str]:
    """Wait until somebody is canceled, then say of each whether it is."""
    for payload, context in zip(payloads, contexts, strict=True):
        await context.progress(0.5, payload.name)
    while not any(context.is_canceled for context in contexts):  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(0.002)
    return ["canceled" if context.is_canceled else "not canceled" for context in contexts]


@batch_handler("many_stubborn", most=10)
def many_stubborn(payloads: Sequence[Deed], contexts: Sequence[JobContext]) -> list[None]:
    for payload, context in zip(payloads, contexts, strict=True):
        context.report_progress(0.5, payload.name)
    while True:
        time.sleep(3600)


# --- worse


@handler("block")
async def block(payload: Deed, context: JobContext) -> str:
    """Block the loop for ``value`` ms."""
    sign(payload)
    time.sleep(payload.value / 1000)  # noqa: ASYNC251 - that is the point
    return "at last"


@handler("block_for_line")
async def block_for_line(payload: Deed, context: JobContext) -> str:
    """Block the loop until there is a line in the fifo beside the record."""
    sign(payload)
    with Path(payload.log).with_name("go").open() as fifo:
        return fifo.readline().strip()


@handler("spin")
async def spin(payload: Deed, context: JobContext) -> int:
    """Spin in C, and hold the interpreter's lock all the while."""
    sign(payload)
    return sum(range(10**12))


@handler("spin_sync")
def spin_sync(payload: Deed, context: JobContext) -> int:
    """The same from a thread."""
    sign(payload)
    return sum(range(10**12))


@handler("crash")
async def crash(payload: Deed, context: JobContext) -> None:
    sign(payload)
    ctypes.string_at(0)


@handler("crash_sync")
def crash_sync(payload: Deed, context: JobContext) -> None:
    sign(payload)
    ctypes.string_at(0)


@handler("exit")
async def exit_process(payload: Deed, context: JobContext) -> None:
    sign(payload)
    os._exit(payload.value)


@handler("exit_at_line")
async def exit_at_line(payload: Deed, context: JobContext) -> None:
    """Sign, say so, and take the process down at a line from the fifo ``exit`` beside the record."""
    sign(payload)
    context.report_progress(0.5, payload.name)

    def read_line() -> None:
        with Path(payload.log).with_name("exit").open() as fifo:
            fifo.readline()

    await asyncio.to_thread(read_line)
    os._exit(payload.value)


@handler("exit_at_record")
async def exit_at_record(payload: Deed, context: JobContext) -> None:
    """Say so, and take the process down as soon as there is a record, and what came along has begun, too."""
    context.report_progress(0.5, payload.name)
    while not os.access(payload.log, os.F_OK):  # noqa: ASYNC110 - nothing here tells of files
        await asyncio.sleep(0.002)
    await asyncio.sleep(0.05)
    os._exit(payload.value)


_met: list[asyncio.Event] = []


@handler("meet_after_exit")
async def meet_after_exit(payload: Deed, context: JobContext) -> None:
    """Wait until so many of this have begun in one process, and something has signed the record."""
    met = asyncio.Event()
    _met.append(met)
    context.report_progress(0.5)
    if os.access(payload.log, os.F_OK) and len(_met) == payload.value:
        for one in _met:
            one.set()
    await met.wait()


@handler("exit_once")
async def exit_once(payload: Deed, context: JobContext) -> str:
    """Take the process down, but only the first time."""
    first = not os.access(payload.log, os.F_OK)
    sign(payload)
    if first:
        os._exit(1)
    return "well"


@handler("exit_later")
async def exit_later(payload: Deed, context: JobContext) -> None:
    """Leave something behind that takes the process down once the call is over."""
    sign(payload)
    threading.Timer(0.01, os._exit, [1]).start()


@handler("eat_memory")
async def eat_memory(payload: Deed, context: JobContext) -> None:
    """Take memory until somebody does something about it, bit by bit."""
    sign(payload)
    eaten = []
    while True:
        eaten.append(b"x" * (4 * 1024 * 1024))
        await asyncio.sleep(0)


@handler("gulp_memory")
async def gulp_memory(payload: Deed, context: JobContext) -> None:
    """Take it all at once."""
    sign(payload)
    await asyncio.sleep(0)
    b"x" * (2**34)


kept: list[bytes] = []


@handler("keep_memory")
async def keep_memory(payload: Deed, context: JobContext) -> int:
    """Keep ``value`` bytes for good."""
    kept.append(b"x" * payload.value)
    return os.getpid()


@handler("fork")
async def fork(payload: Deed, context: JobContext) -> str:
    """Fork, and go on in both."""
    pid = os.fork()
    if pid:
        await asyncio.to_thread(os.waitpid, pid, 0)
    else:
        await asyncio.sleep(0)
    sign(payload)
    return "parent" if pid else "child"


@handler("fork_at_once")
async def fork_at_once(payload: Deed, context: JobContext) -> str:
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)  # noqa: ASYNC222 - it ends at once
    return "parent" if pid else "child"


@handler("fork_sync")
def fork_sync(payload: Deed, context: JobContext) -> str:
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
    return "parent" if pid else "child"


@handler("fork_in_callback")
async def fork_in_callback(payload: Deed, context: JobContext) -> str:
    """Fork where no handler's code is around it: from the loop."""
    loop = asyncio.get_running_loop()
    forked: asyncio.Future[int] = loop.create_future()

    def do() -> None:
        forked.set_result(os.fork())

    loop.call_soon(do)
    pid = await forked
    if pid:
        await asyncio.to_thread(os.waitpid, pid, 0)
    sign(payload)
    return "parent" if pid else "child"


@handler("close_descriptors")
async def close_descriptors(payload: Deed, context: JobContext) -> str:
    sign(payload)
    os.closerange(3, 4096)
    await asyncio.sleep(0)
    return "still here"


@handler("write_rubbish")
def write_rubbish(payload: Deed, context: JobContext) -> None:
    """Write to the pipes that only the process itself should write to: they are out of the way, high up."""
    sign(payload)
    for entry in os.listdir("/proc/self/fd"):  # noqa: PTH208
        fd = int(entry)
        try:
            if fd >= 400 and str(Path(f"/proc/self/fd/{fd}").readlink()).startswith("pipe:"):
                os.write(fd, b"\xff" * 100)
        except OSError:
            continue
    while True:
        time.sleep(3600)


@handler("leave_process")
async def leave_process(payload: Deed, context: JobContext) -> int:
    """Start something that leaves our session, and does not end."""
    sign(payload)
    return subprocess.Popen(["sleep", "1000"], start_new_session=True).pid  # noqa: ASYNC220


@handler("print_much")
async def print_much(payload: Deed, context: JobContext) -> None:
    line = "x" * 99
    for _ in range(payload.value // 100):
        print(line)  # noqa: T201
    sys.stdout.flush()


@handler("print_line")
async def print_line(payload: Deed, context: JobContext) -> str:
    print(payload.name, flush=True)  # noqa: T201
    return sys.stdin.read()


@handler("log_line")
def log_line(payload: Deed, context: JobContext) -> None:
    logging.getLogger("deeds").warning("%s", payload.name)


@handler("look_around")
def look_around(payload: None, context: JobContext) -> dict[str, Any]:
    """Everything that a curious handler can see."""
    return {
        "environment": dict(os.environ),
        "folder": str(Path.cwd()),
        "uid": os.getuid(),
        "gid": os.getgid(),
        "groups": os.getgroups(),
        "descriptors": sorted(str(Path(f"/proc/self/fd/{fd}").readlink()) for fd in _open_descriptors()),
        "leads_session": os.getsid(0) == os.getpid(),
        "parent_memory": _can_read(f"/proc/{os.getppid()}/mem"),
        "parent_environment": _can_read(f"/proc/{os.getppid()}/environ"),
    }


def _open_descriptors() -> list[int]:
    found = []
    for entry in os.listdir("/proc/self/fd"):  # noqa: PTH208
        try:
            os.fstat(int(entry))
        except OSError:
            continue
        found.append(int(entry))
    return found


def _can_read(path: str) -> bool:
    try:
        with Path(path).open("rb") as file:
            file.read(1)
    except OSError:
        return False
    return True
