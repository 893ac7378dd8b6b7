"""The handler `fail`: go wrong as asked, for tests and drills."""

import asyncio
import contextlib
import os
import signal
import time
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from shared.jobs import JobContext, PermanentError, RetryableError, Snooze, handler

_PIECE_BYTES: Final = 16 * 1024 * 1024
_EXIT_STATUS: Final = 70  # EX_SOFTWARE

Kind = Literal["error", "retryable", "permanent", "snooze", "hang", "stubborn", "block", "memory", "exit", "crash"]


class Fail(Struct, frozen=True, forbid_unknown_fields=True):
    """How to fail, and for how long."""

    # error: an unexpected exception. retryable, permanent, snooze: what handlers raise on purpose.
    # hang: waits until it is canceled or out of time. stubborn: the same, but does not heed it.
    # block: holds up its whole process. memory: takes megabytes. exit, crash: end the process.
    kind: Kind = "error"
    message: str = "failed as asked"
    # The first so many calls fail, later ones succeed; without it, all of them fail.
    times: Annotated[int, Meta(ge=0)] | None = None
    # When to try again (retryable, snooze), and how long to block.
    seconds: Annotated[float, Meta(ge=0, le=24 * 3600)] = 1.0
    megabytes: Annotated[int, Meta(ge=1, le=16 * 1024)] = 1024


class Recovered(Struct, frozen=True):
    """The call that did not fail any more."""

    call: int


@handler("fail")
async def fail(payload: Fail, context: JobContext) -> Recovered:
    """Go wrong in the given way, the first so many times; then succeed. For tests and drills."""
    # A snooze costs no attempt, so there only the claims can be counted.
    call = context.epoch if payload.kind == "snooze" else context.attempt
    if payload.times is None or call <= payload.times:
        await _misbehave(payload)
        raise _error(payload)
    return Recovered(call)


async def _misbehave(payload: Fail) -> None:
    match payload.kind:
        case "hang":
            await _wait_for_ever()
        case "stubborn":
            while True:
                with contextlib.suppress(asyncio.CancelledError):
                    await _wait_for_ever()
        case "block":
            time.sleep(payload.seconds)  # noqa: ASYNC251 - that is what was asked for
        case "memory":
            # Written to, or the kernel would not really give it.
            taken = [b"\x01" * _PIECE_BYTES for _ in range(-(-payload.megabytes * 1024 * 1024 // _PIECE_BYTES))]
            taken.clear()
        case "exit":
            os._exit(_EXIT_STATUS)
        case "crash":
            signal.raise_signal(signal.SIGSEGV)


def _error(payload: Fail) -> Exception:
    match payload.kind:
        case "retryable":
            return RetryableError(payload.message, payload.seconds)
        case "permanent":
            return PermanentError(payload.message)
        case "snooze":
            return Snooze(payload.seconds, payload.message)
        case _:
            return RuntimeError(payload.message)


async def _wait_for_ever() -> None:
    await asyncio.get_running_loop().create_future()
