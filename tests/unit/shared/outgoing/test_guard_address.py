"""No request goes to an address that is not public, unless the operator allows it."""

from ipaddress import ip_address

import pytest

from shared.errors import ConfigurationError
from shared.outgoing.guard_address import Address, parse_networks, why_refused
from shared.outgoing.read_url import TargetRefusedError, read_url
from shared.outgoing.resolve_target import HostLookup, HostNotFoundError, resolve_target

REFUSED = {
    "0.0.0.0": "this network",  # noqa: S104 - not bound to
    "0.1.2.3": "this network",
    "10.0.0.1": "private",
    "10.255.255.255": "private",
    "100.64.0.1": "shared by a carrier",
    "100.127.255.255": "shared by a carrier",
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "169.254.0.1": "link-local",
    "169.254.169.254": "a cloud's metadata service",
    "100.100.100.200": "a cloud's metadata service",
    "168.63.129.16": "a cloud's metadata service",
    "192.0.0.192": "a cloud's metadata service",
    "fd00:ec2::254": "a cloud's metadata service",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.0.0.1": "reserved",
    "192.0.2.1": "for documentation",
    "192.88.99.1": "reserved",
    "192.168.1.1": "private",
    "198.18.0.1": "for benchmarks",
    "198.51.100.7": "for documentation",
    "203.0.113.7": "for documentation",
    "224.0.0.1": "multicast",
    "239.255.255.255": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.255": "reserved",
    "::": "unspecified",
    "::1": "loopback",
    "::7f00:1": "reserved",
    "::ffff:127.0.0.1": "loopback",
    "::ffff:10.0.0.1": "private",
    "::ffff:169.254.169.254": "a cloud's metadata service",
    "64:ff9b::7f00:1": "loopback",
    "64:ff9b::a9fe:a9fe": "a cloud's metadata service",
    "64:ff9b:1::1": "reserved",
    "100::1": "reserved",
    "2001::1": "reserved",
    "2001:db8::1": "for documentation",
    "2002:7f00:1::": "reserved",
    "3fff::1": "for documentation",
    "4000::1": "reserved",
    "5f00::1": "reserved",
    "fc00::1": "private",
    "fd12:3456:789a::1": "private",
    "fe80::1": "link-local",
    "fe80::1%eth0": "link-local",
    "fec0::1": "site-local",
    "ff02::1": "multicast",
}
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.1",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.255.255",
    "172.32.0.1",
    "192.167.255.255",
    "192.169.0.1",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450:4001:81b::200e",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
]


@pytest.mark.parametrize(("address", "why"), REFUSED.items())
def test_an_address_that_is_not_public_is_refused(address: str, why: str) -> None:
    assert why_refused(ip_address(address), []) == why


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_not_refused(address: str) -> None:
    assert why_refused(ip_address(address), []) is None


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("127.0.0.1", "127.0.0.0/8"),
        ("::ffff:127.0.0.1", "127.0.0.0/8"),
        ("10.1.2.3", "10.0.0.0/8"),
        ("fd12::1", "fd00::/8"),
        ("169.254.169.254", "169.254.169.254/32"),
        ("fd00:ec2::254", "fd00:ec2::254"),
    ],
)
def test_the_operator_can_allow_a_network(address: str, allowed: str) -> None:
    assert why_refused(ip_address(address), parse_networks(["192.168.0.0/16", allowed])) is None


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("127.0.0.1", "10.0.0.0/8"),
        ("::1", "127.0.0.0/8"),
        ("169.254.169.254", "169.254.0.0/16"),
        ("169.254.169.254", "0.0.0.0/0"),
        ("fd00:ec2::254", "fd00::/8"),
    ],
)
def test_allowing_a_network_allows_nothing_beyond_it_nor_a_metadata_service_within(address: str, allowed: str) -> None:
    assert why_refused(ip_address(address), parse_networks([allowed])) is not None


@pytest.mark.parametrize("entry", ["10.0.0.0/33", "10.0.0.1/8", "localhost", ""])
def test_a_malformed_network_is_named(entry: str) -> None:
    with pytest.raises(ConfigurationError, match="HOWDAH_ALLOWED_NETWORKS"):
        parse_networks([entry])


class Names:
    """A resolver whose answers are given, one for each time it is asked."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)

    async def __call__(self, _host: str) -> list[Address]:
        return [ip_address(address) for address in self.answers.pop(0)]


async def test_a_name_with_one_private_address_among_public_ones_is_refused() -> None:
    target = read_url("https://hooks.example.org/x")
    with pytest.raises(TargetRefusedError, match=r"hooks\.example\.org leads to 10\.0\.0\.5, which is private"):
        await resolve_target(target, allowed=[], lookup=Names(["1.1.1.1", "10.0.0.5", "8.8.8.8"]))


async def test_a_name_is_asked_for_once_and_all_its_addresses_are_returned() -> None:
    names = Names(["1.1.1.1", "2606:4700:4700::1111"], ["127.0.0.1"])
    addresses = await resolve_target(read_url("https://hooks.example.org/x"), allowed=[], lookup=names)
    assert addresses == [ip_address("1.1.1.1"), ip_address("2606:4700:4700::1111")]
    assert names.answers == [["127.0.0.1"]]


async def test_a_name_without_addresses_is_not_found() -> None:
    with pytest.raises(HostNotFoundError):
        await resolve_target(read_url("https://hooks.example.org"), allowed=[], lookup=Names([]))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "0x7f000001",
        "2130706433",
        "017700000001",
        "localhost",
        "[::1]",
        "[::ffff:7f00:1]",
    ],
)
async def test_no_spelling_of_loopback_passes_the_system_resolver(host: str) -> None:
    with pytest.raises((TargetRefusedError, HostNotFoundError)):
        await resolve_target(read_url(f"http://{host}/"), allowed=[], lookup=HostLookup())


async def test_a_name_that_does_not_exist_is_not_found() -> None:
    with pytest.raises(HostNotFoundError, match=r"nowhere\.invalid cannot be looked up"):
        await HostLookup()("nowhere.invalid")
    with pytest.raises(HostNotFoundError, match="no valid name"):
        await HostLookup()("a" * 64 + ".example.org")
