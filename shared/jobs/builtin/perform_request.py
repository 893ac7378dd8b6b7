"""Send what a payload asks for, and say what the answer means for the job."""

from typing import Final

from shared.errors import ConfigurationError
from shared.jobs import JobContext, PermanentError, RetryableError
from shared.jobs.builtin.compose_request import compose_request
from shared.jobs.builtin.http_request import HttpRequest, HttpResponse
from shared.jobs.builtin.read_response import read_response
from shared.jobs.builtin.read_settings import HttpSettings, read_settings
from shared.outgoing.guard_address import parse_networks
from shared.outgoing.outcome import Answered, Failed
from shared.outgoing.reach_target import reach_target
from shared.outgoing.read_url import TargetRefusedError, read_url
from shared.outgoing.resolve_target import HostLookup

_TRY_AGAIN: Final = frozenset({408, 425, 429})
# A target may ask for patience, but not for ever.
_MOST_ASKED_SECONDS: Final = 24 * 3600.0

_lookup: Final = HostLookup()


async def perform_request(payload: HttpRequest, context: JobContext) -> HttpResponse:
    """Send once, and return the answer if it is a success.

    Raises `PermanentError` and `RetryableError`; their messages hold neither credentials nor the address but its
    host.
    """
    try:
        target = read_url(payload.url)
        allowed = parse_networks(read_settings(HttpSettings).allowed_networks)
    except TargetRefusedError as error:
        raise PermanentError(f"url: {error}", reason="address_refused") from None
    except ConfigurationError as error:
        raise PermanentError(str(error), reason="bad_settings") from None
    request = compose_request(payload, context)
    outcome = await reach_target(
        target, request, allowed=allowed, lookup=_lookup, within_seconds=payload.timeout_seconds
    )
    if isinstance(outcome, Failed):
        if outcome.for_good:
            raise PermanentError(outcome.reason, reason="address_refused")
        raise RetryableError(f"{request.method} {target.host}: {outcome.reason}", reason="no_answer")
    said = f"{request.method} {target.host} answered {outcome.status}"
    if not payload.is_success(outcome.status):
        raise _unexpected(outcome, said)
    if not outcome.complete and len(outcome.body) < request.most_body_bytes:
        raise RetryableError(f"{said}, but the answer broke off", reason="no_answer")
    return read_response(outcome)


def _unexpected(answered: Answered, said: str) -> PermanentError | RetryableError:
    reason = f"http_{answered.status}"
    if answered.status >= 500 or answered.status in _TRY_AGAIN:
        asked = answered.retry_after_seconds
        return RetryableError(said, min(asked, _MOST_ASKED_SECONDS) if asked else None, reason=reason)
    if 300 <= answered.status <= 399:
        return PermanentError(
            f"{said}: redirects are not followed; give the address that it leads to, or expect {answered.status}",
            reason=reason,
        )
    return PermanentError(said, reason=reason)
