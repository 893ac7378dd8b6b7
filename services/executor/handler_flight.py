"""A call that was submitted and has not ended."""

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from services.executor.handler_frames import Call, CallInterruption

if TYPE_CHECKING:
    from services.executor.handler_process import HandlerProcess
else:
    HandlerProcess = Any


class FlyingCall(Struct, gc=False, eq=False):
    """Where a call is, and what is to become of it.

    Not looked at by the garbage collector: who takes a call away from a process must say so here.
    """

    call: Call
    process: "HandlerProcess | None" = None
    seat: int = -1
    interrupted: CallInterruption | None = None
    interrupted_at: float = 0.0
    # Rises with every process that dies with it in its hands: see `sort_out`.
    losses: int = 0
    # The death of a process that it is suspected of, by number; 0: none in particular.
    death: int = 0
