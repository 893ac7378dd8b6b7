"""Which addresses a request may go to: public ones, and what the operator allows.

The networks are those that the IANA special-purpose address registries (RFC 6890) do not call globally
reachable. They are written out because Python's `ipaddress` judges some differently from release to release.
"""

from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

from shared.errors import ConfigurationError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_REFUSED_V4: Final = {
    IPv4Network("0.0.0.0/8"): "this network",
    IPv4Network("10.0.0.0/8"): "private",
    IPv4Network("100.64.0.0/10"): "shared by a carrier",
    IPv4Network("127.0.0.0/8"): "loopback",
    IPv4Network("169.254.0.0/16"): "link-local",
    IPv4Network("172.16.0.0/12"): "private",
    IPv4Network("192.0.0.0/24"): "reserved",
    IPv4Network("192.0.2.0/24"): "for documentation",
    IPv4Network("192.88.99.0/24"): "reserved",
    IPv4Network("192.168.0.0/16"): "private",
    IPv4Network("198.18.0.0/15"): "for benchmarks",
    IPv4Network("198.51.100.0/24"): "for documentation",
    IPv4Network("203.0.113.0/24"): "for documentation",
    IPv4Network("224.0.0.0/4"): "multicast",
    IPv4Network("240.0.0.0/4"): "reserved",
}
_REFUSED_V6: Final = {
    IPv6Network("::/128"): "unspecified",
    IPv6Network("::1/128"): "loopback",
    IPv6Network("fc00::/7"): "private",
    IPv6Network("fe80::/10"): "link-local",
    IPv6Network("fec0::/10"): "site-local",
    IPv6Network("ff00::/8"): "multicast",
    # Teredo among them, which hides an IPv4 address.
    IPv6Network("2001::/23"): "reserved",
    IPv6Network("2001:db8::/32"): "for documentation",
    # 6to4 hides an IPv4 address, too, and nobody serves it any more.
    IPv6Network("2002::/16"): "reserved",
    IPv6Network("3fff::/20"): "for documentation",
}
# All that has ever been given out as global unicast; everything outside is refused.
_GLOBAL_V6: Final = IPv6Network("2000::/3")
# Translators: the last 32 bits are the IPv4 address that is meant.
_IPV4_INSIDE: Final = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))
# Where clouds hand out credentials. A network that merely contains one does not allow it.
_METADATA: Final = frozenset(
    map(ip_address, ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192"))
)


def why_refused(address: Address, allowed: Sequence[Network]) -> str | None:
    """Return why no request may go to an address, in a word or two; None if it may."""
    meant = _meant_address(address)
    if meant in _METADATA:
        named = any(network.num_addresses == 1 and meant in network for network in allowed)
        return None if named else "a cloud's metadata service"
    if any(meant in network for network in allowed):
        return None
    if isinstance(meant, IPv4Address):
        return next((why for network, why in _REFUSED_V4.items() if meant in network), None)
    why = next((why for network, why in _REFUSED_V6.items() if meant in network), None)
    if why is None and meant not in _GLOBAL_V6:
        return "reserved"
    return why


def _meant_address(address: Address) -> Address:
    if isinstance(address, IPv6Address) and any(address in network for network in _IPV4_INSIDE):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def parse_networks(entries: Sequence[str]) -> list[Network]:
    """Read the operator's list.

    Raises `ConfigurationError`.
    """
    try:
        return [ip_network(entry) for entry in entries]
    except ValueError as error:
        raise ConfigurationError(f"HOWDAH_ALLOWED_NETWORKS: {error}") from None
