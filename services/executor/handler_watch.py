"""Look after a handler process from outside: does its loop turn, do its calls end in time, how much does it take?"""

import os
import time
from pathlib import Path
from typing import Final

from msgspec import Struct

from services.executor.handler_flight import FlyingCall
from services.executor.handler_frames import CallInterruption, Ping
from services.executor.handler_process import Condemnation, HandlerProcess

_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
# The process's own clock ticks every 50 ms, and what it tells takes its time.
_SLACK_SECONDS: Final = 0.25
# A process that has grown so far is replaced before it would have to be killed.
_GROWN_SHARE: Final = 0.8


class WatchLimits(Struct, frozen=True):
    """What a handler process may do."""

    # Between its being asked for a sign of life and its being killed; half of that, and it gets no new calls.
    stall_seconds: float
    # Between a call's being told to end and the end of its process.
    grace_seconds: float
    start_seconds: float
    memory_bytes: int


def watch_process(process: HandlerProcess, limits: WatchLimits, batch_types: frozenset[str]) -> None:
    """Kill a process that is out of bounds; see whether it lags, and whether it should be replaced."""
    if process.condemned is not None or process.is_over:
        return
    now = time.monotonic()
    if not process.is_ready:
        if now - process.started_at > limits.start_seconds:
            process.condemn(Condemnation(f"was not ready after {limits.start_seconds:g} s"))
        return
    if process.finished_at is not None:
        if now > process.finished_at + limits.grace_seconds:
            process.condemn(Condemnation("did not end when it had nothing more to do"))
        return
    late = _find_late(process, now, batch_types)
    patience = limits.grace_seconds + _SLACK_SECONDS
    overdue = {key: why for key, (why, late_seconds) in late.items() if late_seconds > patience}
    process.has_late_calls = any(late_seconds > patience / 2 for _why, late_seconds in late.values())
    if overdue:
        process.condemn(Condemnation("ran a call that did not end when it was told to", culprits=overdue))
        return
    process.rss_bytes = read_rss_bytes(process.pid)
    if process.rss_bytes > limits.memory_bytes:
        taken, allowed = process.rss_bytes // 2**20, limits.memory_bytes // 2**20
        process.condemn(Condemnation(f"took {taken} MiB of memory, of {allowed} that it may", "out_of_memory"))
        return
    _watch_silence(process, now, limits)


def has_grown(process: HandlerProcess, limits: WatchLimits) -> bool:
    """Whether a process should be replaced before it would have to be killed for the memory that it takes."""
    room = limits.memory_bytes - process.first_rss_bytes
    return process.rss_bytes > process.first_rss_bytes + _GROWN_SHARE * room


def _find_late(
    process: HandlerProcess, now: float, batch_types: frozenset[str]
) -> dict[int, tuple[CallInterruption, float]]:
    """The calls that should have ended: as what, and how many seconds ago."""
    late: dict[int, tuple[CallInterruption, float]] = {}
    for key, flying in process.calls.items():
        begun_at = process.begun_at(flying)
        if begun_at <= 0:
            continue
        ends_at = begun_at + flying.call.timeout_seconds
        why = flying.interrupted
        if why is not None and not (flying.call.job_type in batch_types and _has_company(process, flying)):
            ends_at = min(ends_at, flying.interrupted_at)
        if now > ends_at:
            late[key] = (why or CallInterruption.TIMED_OUT, now - ends_at)
    return late


def _has_company(process: HandlerProcess, flying: FlyingCall) -> bool:
    """Whether its batch may hold a call that is not to end: then that batch goes on."""
    return any(
        other.interrupted is None and other.call.job_type == flying.call.job_type and process.begun_at(other) > 0
        for other in process.calls.values()
    )


def _watch_silence(process: HandlerProcess, now: float, limits: WatchLimits) -> None:
    if process.asked_at is None:
        process.is_silent = False
        if process.calls:
            process.asked_at = now
            process.send(Ping())
        return
    silent_seconds = now - process.asked_at
    if silent_seconds <= limits.stall_seconds / 2 or process.has_something_to_say():
        return
    process.is_silent = True
    # Alone, a call that blocks harms nobody else; its timeout will end it.
    if silent_seconds > limits.stall_seconds and not _runs_alone(process):
        process.condemn(Condemnation(f"gave no sign of life for {limits.stall_seconds:g} s"))


def _runs_alone(process: HandlerProcess) -> bool:
    return len(process.calls) == 1 and all(process.begun_at(flying) > 0 for flying in process.calls.values())


def read_rss_bytes(pid: int) -> int:
    """Return how much memory of a process is resident; 0 when it is gone."""
    try:
        return int((Path("/proc") / str(pid) / "statm").read_bytes().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError):
        return 0
