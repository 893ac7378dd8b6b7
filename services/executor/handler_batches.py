"""Batches: which waiting calls go together into one call of a function, and whether it answers for each of them."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from services.executor.handler_frames import Call
from shared.jobs.define_handler import Handler
from shared.jobs.errors import RetryableError


class Batch(Struct, frozen=True):
    """Calls that are made together, each with its seat and its payload."""

    seats: list[int]
    calls: list[Call]
    payloads: list[Any]


def take_batch(
    waiting: deque[tuple[int, Call]],
    handler: Handler,
    on_taken: Callable[[int], None],
    on_invalid: Callable[[int, Call, Exception], None],
) -> Batch:
    """Take the first calls off a queue: as many as the handler likes, of one timeout, for they end together.

    ``on_taken`` hears of each seat before its payload is looked at. A payload that the handler cannot take is
    ``on_invalid``'s, and in no batch.
    """
    batch = Batch([], [], [])
    while waiting and len(batch.calls) < (handler.batch_size or 1):
        seat, call = waiting[0]
        if batch.calls and call.timeout_seconds != batch.calls[0].timeout_seconds:
            break
        waiting.popleft()
        on_taken(seat)
        try:
            payload = handler.decode_payload(call.payload or b"null")
        except Exception as error:  # noqa: BLE001 - a payload's own checks may raise anything
            on_invalid(seat, call, error)
            continue
        batch.seats.append(seat)
        batch.calls.append(call)
        batch.payloads.append(payload)
    return batch


def check_outcomes(returned: object, count: int) -> Sequence[object]:
    """Return the outcome of each of ``count`` calls: what the handler says, or that it does not say it properly."""
    if not isinstance(returned, Sequence) or isinstance(returned, str | bytes):
        problem = f"a handler of batches returns a sequence of outcomes, not {type(returned).__name__}"
    elif len(returned) != count:
        problem = f"the handler returned {len(returned)} outcomes for a batch of {count}"
    else:
        return returned
    return [RetryableError(problem, reason="invalid_result")] * count
