"""What the end of a call means for its job."""

from typing import Final

import msgspec

from services.executor.finish_jobs import NOT_RETRYABLE, AttemptEnd
from services.executor.handler_frames import CallEnd, CallOutcome
from shared.queries.models import AttemptOutcome

_OUTCOMES: Final = {
    CallOutcome.SUCCEEDED: AttemptOutcome.SUCCEEDED,
    CallOutcome.FAILED: AttemptOutcome.FAILED,
    CallOutcome.ERRORED: AttemptOutcome.ERRORED,
    CallOutcome.TIMED_OUT: AttemptOutcome.TIMED_OUT,
    CallOutcome.CANCELED: AttemptOutcome.CANCELED,
    CallOutcome.HANDED_BACK: AttemptOutcome.HANDED_BACK,
    CallOutcome.SNOOZED: AttemptOutcome.SNOOZED,
}
_MAY_BE_TRIED_AGAIN: Final = frozenset({CallOutcome.ERRORED, CallOutcome.TIMED_OUT, CallOutcome.SNOOZED})

_decode_values: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_NO_JSON: Final = AttemptEnd(
    AttemptOutcome.FAILED, reason="invalid_result", error="its handler process sent a result that is no JSON value"
)


def read_end(end: CallEnd) -> AttemptEnd | None:
    """Return how the attempt ended; None if it succeeded as it should, with no result or one JSON value.

    Results travel in one array: what is no value, or several, must not become another job's.
    """
    if end.outcome is CallOutcome.SUCCEEDED:
        return None if not end.result or _is_one_value(end.result) else _NO_JSON
    return AttemptEnd(
        _OUTCOMES[end.outcome],
        error=end.error.replace("\0", "\N{REPLACEMENT CHARACTER}"),
        reason=end.reason.replace("\0", ""),
        retry_in_seconds=max(0.0, end.retry_in_seconds) if end.outcome in _MAY_BE_TRIED_AGAIN else NOT_RETRYABLE,
    )


def _is_one_value(text: bytes) -> bool:
    try:
        return len(_decode_values(b"[" + text + b"]")) == 1
    except msgspec.DecodeError:
        return False
