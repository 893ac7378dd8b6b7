"""From a host's name to the addresses that a request may go to: asked once, a later answer is not heard."""

import socket
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from ipaddress import ip_address
from typing import Final

import anyio
from anyio import to_thread

from shared.outgoing.guard_address import Address, Network, why_refused
from shared.outgoing.read_url import Target, TargetRefusedError

Lookup = Callable[[str], Awaitable[list[Address]]]

_MOST_LOOKUPS_AT_ONCE: Final = 64


class HostNotFoundError(OSError):
    """The name could not be looked up, for now; the message is the resolver's."""


async def resolve_target(target: Target, *, allowed: Sequence[Network], lookup: Lookup) -> list[Address]:
    """Return the target's addresses, in the order in which to try them.

    One refused address refuses the name: leading to public and private ones is an attack or a mistake.
    Raises `TargetRefusedError` and `HostNotFoundError`.
    """
    try:
        addresses = [ip_address(target.host)]
    except ValueError:
        addresses = await lookup(target.host)
    if not addresses:
        raise HostNotFoundError(f"{target.host} has no address")
    for address in addresses:
        if (why := why_refused(address, allowed)) is not None:
            raise TargetRefusedError(
                f"{target.host} leads to {address}, which is {why}; HOWDAH_ALLOWED_NETWORKS can allow it"
            )
    return addresses


class HostLookup:
    """The system's resolver, in threads of its own: a silent name server must not hold up other names."""

    def __init__(self) -> None:
        self._limiter = anyio.CapacityLimiter(_MOST_LOOKUPS_AT_ONCE)

    async def __call__(self, host: str) -> list[Address]:
        """Return all addresses of a host.

        Raises `HostNotFoundError`.
        """
        ask = partial(socket.getaddrinfo, host, None, type=socket.SOCK_STREAM)
        try:
            # Abandoned when canceled: the resolver cannot be interrupted, and ends by its own timeouts.
            found = await to_thread.run_sync(ask, abandon_on_cancel=True, limiter=self._limiter)
        except (OSError, UnicodeError) as error:
            said = error.strerror if isinstance(error, OSError) and error.strerror else "no valid name"
            raise HostNotFoundError(f"{host} cannot be looked up: {said}") from error
        return list(dict.fromkeys(ip_address(entry[4][0]) for entry in found))
