"""What an executor and its handler processes say to each other: MessagePack, each message with its length in front."""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Final, TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct

from shared.jobs.describe_handlers import HandlerEntry
from shared.jobs.retry_policy import RetryPolicy

_LENGTH_BYTES: Final = 4
# No frame that we make is longer, but for one with a single large payload or result (1 MiB at most).
FRAME_BYTES: Final = 4 * 1024 * 1024
FRAME_LIMIT: Final = 4 * FRAME_BYTES

# The exit status of a handler process in which memory ran out while several calls ran.
OUT_OF_MEMORY_STATUS: Final = 77


class CallOutcome(StrEnum):
    """How a call ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"  # for good: no other try can help
    ERRORED = "errored"  # may be tried again
    TIMED_OUT = "timed_out"
    CANCELED = "canceled"
    HANDED_BACK = "handed_back"  # through no fault of its own; it counts for no attempt
    SNOOZED = "snoozed"  # its handler wants to be called again later; it counts for no attempt


class CallInterruption(StrEnum):
    """Why a call is ended from outside."""

    CANCELED = "canceled"  # somebody asked for it
    HANDED_BACK = "handed_back"  # this executor leaves
    LOST = "lost"  # the job is not ours any more, so nobody wants to hear of its end
    TIMED_OUT = "timed_out"


class Call(Struct, frozen=True, array_like=True, gc=False):
    """One attempt at a job, to be made by a handler."""

    # Chosen by the caller; of the calls that have not ended, no two may have the same.
    key: int
    job_type: str
    # Raw JSON; empty is null.
    payload: bytes
    id_text: str
    epoch: int
    # Of those that count; the first is 1.
    attempt: int
    max_attempts: int
    timeout_seconds: float
    queue: str = "default"
    # None: the handler's own.
    retry: RetryPolicy | None = None
    # Raw JSON; empty is null.
    metadata: bytes = b""
    traceparent: str = ""

    @property
    def job_id(self) -> UUID:
        """The job. Made when somebody asks."""
        return UUID(self.id_text)


class CallEnd(Struct, frozen=True, array_like=True, gc=False):
    """How a call ended."""

    key: int
    outcome: CallOutcome
    # For people; the first line says what, further lines say where.
    error: str = ""
    # A code: invalid_payload, invalid_result, no_handler, crashed, out_of_memory, or the type of the exception.
    reason: str = ""
    # Raw JSON; empty is null.
    result: bytes = b""
    # Until it should be tried again; of errored, timed-out and snoozed calls.
    retry_in_seconds: float = 0.0


class ProgressNote(Struct, frozen=True, array_like=True, gc=False):
    """What a handler last said of its progress: a fraction from 0 to 1, and a message."""

    key: int
    fraction: float
    message: str


class ChildSettings(Struct, frozen=True):
    """What a handler process is told at its start."""

    modules: list[str]
    entry_points: bool
    marks_fd: int
    seats: int
    concurrency: int
    # Beyond what its imports take. The executor watches what is really used; this stops what is faster than it looks.
    memory_bytes: int
    log_level: str


class GivenCalls(Struct, frozen=True, array_like=True, tag=1, gc=False):
    """To a handler process: calls, and the seat of each among the begin marks."""

    seats: list[int]
    calls: list[Call]


class InterruptedCalls(Struct, frozen=True, array_like=True, tag=2, gc=False):
    """To a handler process: end these."""

    keys: list[int]
    why: CallInterruption


class Ping(Struct, frozen=True, array_like=True, tag=3, gc=False):
    """To a handler process: does your loop still turn?"""


class Started(Struct, frozen=True, array_like=True, tag=1, gc=False):
    """From a handler process: everything is imported, give me calls."""

    catalog: list[HandlerEntry]


class NotStarted(Struct, frozen=True, array_like=True, tag=2, gc=False):
    """From a handler process, as its last words: why it cannot start."""

    problem: str


class EndedCalls(Struct, frozen=True, array_like=True, tag=3, gc=False):
    """From a handler process: these have ended."""

    # The keys of those that succeeded without a result: most, as a rule.
    succeeded: list[int]
    ends: list[CallEnd]


class Progress(Struct, frozen=True, array_like=True, tag=4, gc=False):
    """From a handler process: these are getting on."""

    notes: list[ProgressNote]


class Pong(Struct, frozen=True, array_like=True, tag=5, gc=False):
    """From a handler process: it does."""


ToChild = GivenCalls | InterruptedCalls | Ping
FromChild = Started | NotStarted | EndedCalls | Progress | Pong

Weighed = TypeVar("Weighed")

_encoder = msgspec.msgpack.Encoder()


class FrameError(Exception):
    """The other side says something that is no frame: it is out of its mind, or not what it seems."""


def encode_frame(message: ToChild | FromChild) -> bytes:
    """Return the message with its length in front of it (big-endian)."""
    payload = _encoder.encode(message)
    return len(payload).to_bytes(_LENGTH_BYTES, "big") + payload


class FrameBuffer:
    """Bytes as they come, cut into frames."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take some bytes and yield the payload of each frame that is complete now. Raises FrameError."""
        self._data += data
        start = 0
        try:
            while len(self._data) - start >= _LENGTH_BYTES:
                body = start + _LENGTH_BYTES
                length = int.from_bytes(self._data[start:body], "big")
                if length > FRAME_LIMIT:
                    raise FrameError(f"a frame of {length} bytes")
                if len(self._data) < body + length:
                    break
                start = body + length
                yield bytes(self._data[body:start])
        finally:
            del self._data[:start]


def cut_by_weight(things: Sequence[Weighed], weights: Sequence[int], most: int) -> Iterator[Sequence[Weighed]]:
    """Cut a sequence into pieces that each weigh at most ``most``, or hold a single heavier thing."""
    if sum(weights) <= most:
        yield things
        return
    start = total = 0
    for place, weight in enumerate(weights):
        if total + weight > most and place > start:
            yield things[start:place]
            start, total = place, 0
        total += weight
    yield things[start:]
