"""Look a target up, check where that leads, and send: within one deadline."""

from collections.abc import Sequence

import anyio

from shared.outgoing.guard_address import Network
from shared.outgoing.outcome import Failed, Outcome
from shared.outgoing.read_url import Target, TargetRefusedError
from shared.outgoing.resolve_target import HostNotFoundError, Lookup, resolve_target
from shared.outgoing.send_request import Request, send_request


async def reach_target(
    target: Target, request: Request, *, allowed: Sequence[Network], lookup: Lookup, within_seconds: float
) -> Outcome:
    """Send one request, and return what came of it; never raises for what the target or its name server does.

    `allowed` are private networks that the operator opens; see `guard_address`.
    """
    deadline = anyio.current_time() + within_seconds
    try:
        with anyio.fail_after(within_seconds):
            addresses = await resolve_target(target, allowed=allowed, lookup=lookup)
    except TargetRefusedError as error:
        return Failed(str(error), for_good=True)
    except HostNotFoundError as error:
        return Failed(str(error))
    except TimeoutError:
        return Failed(f"{target.host} was not looked up within {within_seconds:.0f} s")
    return await send_request(target, addresses, request, within_seconds=max(deadline - anyio.current_time(), 0))
