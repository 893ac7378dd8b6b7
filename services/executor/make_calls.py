"""From jobs that have been claimed to the calls of their handlers."""

import logging
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from services.executor.finish_and_claim import Lane
from services.executor.handler_frames import Call
from services.executor.hold_calls import HeldCall
from shared.jobs.retry_policy import RetryPolicy

logger = logging.getLogger(__name__)

_decode_retry: Final[Callable[[msgspec.Raw], RetryPolicy | None]] = msgspec.json.Decoder(RetryPolicy | None).decode


def make_calls(claimed: Sequence[HeldCall], lane: Lane) -> list[Call]:
    """Return the call of each claimed job."""
    calls = []
    for held in claimed:
        attempt = held.attempts_used + 1
        payload, metadata, retry = bytes(held.payload), bytes(held.metadata), None
        if payload:
            retry = read_retry_policy(held)
            held.forget_details()
        calls.append(
            # By place, which is quicker than by name.
            Call(
                held.key,
                lane.job_type,
                payload,
                held.id_text,
                held.epoch,
                attempt,
                held.max_attempts,
                held.timeout_seconds,
                lane.queue,
                retry,
                metadata,
                held.traceparent or "",
            )
        )
    return calls


def read_retry_policy(held: HeldCall) -> RetryPolicy | None:
    """Return the policy of a job's own; None if it has none, or none that this version understands."""
    try:
        return _decode_retry(held.retry)
    except msgspec.ValidationError as error:
        # Of a newer version, perhaps. The handler's own will do; the job is not to blame.
        logger.warning("the retry policy of a job is not understood: %s", error, extra={"job_id": held.job_id})
        return None
