"""From what a handler returned or raised to the end of its call."""

import re
import traceback
from typing import Final

import msgspec

from services.executor.handler_frames import Call, CallEnd, CallInterruption, CallOutcome
from shared.jobs.define_handler import Handler
from shared.jobs.errors import JobError, PermanentError, RetryableError, Snooze
from shared.jobs.retry_policy import RetryPolicy

RESULT_MOST_BYTES: Final = 1024 * 1024
_ERROR_MOST_CHARACTERS: Final = 4000
_REASON_MOST_CHARACTERS: Final = 100
_FRAMES_SHOWN: Final = 8

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
# An escaped NUL, which a jsonb column refuses; not an escaped backslash before the letters.
_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def end_returned(call: Call, returned: object) -> CallEnd:
    """The end of a call whose handler returned a result."""
    if returned is None:
        return CallEnd(call.key, CallOutcome.SUCCEEDED)
    try:
        result = _encode(returned)
        _decode(result)  # msgspec.Raw is written as it is, JSON or not
    except Exception as error:  # noqa: BLE001 - whatever hides in a result, it is the job's fault
        return _failed(call, "invalid_result", f"the result cannot be turned into JSON: {_text_of(error)}")
    if b"\\u0000" in result and _NUL.search(result):
        return _failed(call, "invalid_result", "the result holds a NUL character, which PostgreSQL cannot store")
    if len(result) > RESULT_MOST_BYTES:
        return _failed(
            call, "invalid_result", f"the result has {len(result)} bytes; at most {RESULT_MOST_BYTES} are stored"
        )
    return CallEnd(call.key, CallOutcome.SUCCEEDED, result=result)


def end_raised(call: Call, handler: Handler, error: BaseException) -> CallEnd:
    """The end of a call whose handler raised."""
    if isinstance(error, Snooze):
        return CallEnd(
            call.key,
            CallOutcome.SNOOZED,
            error=_clip(_text_of(error)),
            reason=_clip(error.reason)[:_REASON_MOST_CHARACTERS],
            retry_in_seconds=error.seconds,
        )
    if isinstance(error, JobError):
        message = _text_of(error) or type(error).__name__
        if isinstance(error, PermanentError):
            return _failed(call, error.reason, message)
        seconds = error.retry_in_seconds if isinstance(error, RetryableError) else None
        return _errored(call, handler.retry, error.reason, message, seconds)
    name, text = type(error).__name__, _text_of(error)
    message = (f"{name}: {text}" if text else name) + _trace(error)
    if handler.may_retry(error):
        return _errored(call, handler.retry, name, message, None)
    return _failed(call, name, message)


def end_invalid_payload(call: Call, error: Exception) -> CallEnd:
    """The end of a call whose handler cannot take its payload."""
    return _failed(call, "invalid_payload", f"the payload does not fit the handler: {error}")


def end_unknown(call: Call) -> CallEnd:
    """The end of a call that no handler is there for."""
    return _failed(call, "no_handler", f"this executor has no handler for jobs of the type {call.job_type!r}")


def end_interrupted(call: Call, why: CallInterruption, usual_retry: RetryPolicy) -> CallEnd:
    """The end of a call that was ended from outside."""
    match why:
        case CallInterruption.TIMED_OUT:
            return CallEnd(
                call.key,
                CallOutcome.TIMED_OUT,
                error=f"took longer than its timeout of {call.timeout_seconds:g} s",
                reason="timed_out",
                retry_in_seconds=(call.retry or usual_retry).delay_seconds(call.attempt),
            )
        case CallInterruption.CANCELED | CallInterruption.LOST:
            return CallEnd(call.key, CallOutcome.CANCELED, error="canceled", reason="canceled")
        case CallInterruption.HANDED_BACK:
            return CallEnd(call.key, CallOutcome.HANDED_BACK, error="the executor left", reason="handed_back")


def end_crashed(call: Call, usual_retry: RetryPolicy, reason: str, message: str) -> CallEnd:
    """The end of a call that took its process down with it."""
    return _errored(call, usual_retry, reason, message, None)


def _errored(call: Call, usual: RetryPolicy, reason: str, message: str, seconds: float | None) -> CallEnd:
    if seconds is None:
        seconds = (call.retry or usual).delay_seconds(call.attempt)
    return CallEnd(
        call.key,
        CallOutcome.ERRORED,
        error=_clip(message),
        reason=_clip(reason)[:_REASON_MOST_CHARACTERS],
        retry_in_seconds=seconds,
    )


def _failed(call: Call, reason: str, message: str) -> CallEnd:
    code = _clip(reason)[:_REASON_MOST_CHARACTERS]
    return CallEnd(call.key, CallOutcome.FAILED, error=_clip(message), reason=code)


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - an exception that cannot even say what it is
        return ""


def _trace(error: BaseException) -> str:
    """The innermost frames, without ours: where to look."""
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if "services/executor/" not in frame.filename
    ]
    return "".join(f"\n  at {frame.filename}:{frame.lineno} in {frame.name}" for frame in frames[-_FRAMES_SHOWN:])


def _clip(text: str) -> str:
    """Cut, and make it something that UTF-8 and PostgreSQL can hold: no surrogates, no NUL."""
    text = text[:_ERROR_MOST_CHARACTERS]
    return text.encode("utf-8", "replace").decode().replace("\0", "\\0")
