"""A call that was submitted and has not ended."""

from typing import TYPE_CHECKING

from services.executor.handler_frames import Call, CallInterruption

if TYPE_CHECKING:
    from services.executor.handler_process import HandlerProcess


class FlyingCall:
    """Where a call is, and what is to become of it."""

    __slots__ = ("call", "interrupted", "interrupted_at", "losses", "process", "seat")

    def __init__(self, call: Call) -> None:
        self.call = call
        self.process: HandlerProcess | None = None
        self.seat = -1
        self.interrupted: CallInterruption | None = None
        self.interrupted_at = 0.0
        # Rises with every process that dies with it in its hands: see `sort_out`.
        self.losses = 0
