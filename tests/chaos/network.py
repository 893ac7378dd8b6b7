"""Two hosts and a cable, as network namespaces; the cable can fall silent as a real one does: nobody is told.

They have no names, and belong to this process: the kernel removes them when the last process within has ended.
Nothing outside is touched, and nothing outside can be reached from within. It takes root, and `ip` of iproute2.
"""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Final

import pytest

# Documentation's own (RFC 5737): routed nowhere.
NEAR_ADDRESS: Final = "192.0.2.1"
FAR_ADDRESS: Final = "192.0.2.2"
_NEAR_LINK: Final = "02:00:00:00:00:01"
_FAR_LINK: Final = "02:00:00:00:00:02"
_NOBODYS_LINK: Final = "02:00:00:00:00:ff"

_CLONE_NEWNET: Final = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class Network:
    """Two hosts; the calling thread, and what it starts, are on the near one."""

    def __init__(self, near: int, far: int) -> None:
        self._near = near
        self._far = far

    def far_side(self) -> AbstractContextManager[None]:
        """Be on the far host for as long as the block lasts: what it starts, and the sockets it opens, stay there."""
        return _inside(self._far)

    def fall_silent(self) -> None:
        """Lose every packet from now on, in both directions.

        Each side sends to a link address that is nobody's: no refusal, no unreachable host, no missing carrier.
        """
        self._send_to(near=_NOBODYS_LINK, far=_NOBODYS_LINK)

    def speak_again(self) -> None:
        """Lose nothing any more."""
        self._send_to(near=_NEAR_LINK, far=_FAR_LINK)

    def _send_to(self, *, near: str, far: str) -> None:
        with _inside(self._near):
            _ip("neigh", "replace", FAR_ADDRESS, "lladdr", far, "nud", "permanent", "dev", "near")
        with _inside(self._far):
            _ip("neigh", "replace", NEAR_ADDRESS, "lladdr", near, "nud", "permanent", "dev", "far")


@contextmanager
def run_network() -> Iterator[Network]:
    """Put the calling thread on the near host for as long as the block lasts. Skips the test where that cannot be."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces take root")
    if shutil.which("ip") is None:
        pytest.skip("network namespaces take the command `ip`, of the package iproute2")
    with ExitStack() as undo:
        home = _current_namespace()
        undo.callback(os.close, home)
        try:
            far = _make_namespace()
        except PermissionError as error:
            pytest.skip(f"this root may not make network namespaces: {error}")
        undo.callback(os.close, far)
        undo.callback(_enter, home)
        near = _make_namespace()
        undo.callback(os.close, near)
        _lay_cable(near, far)
        network = Network(near, far)
        network.speak_again()
        yield network


def _lay_cable(near: int, far: int) -> None:
    """Join the hosts by a pair of virtual Ethernet devices."""
    ends = ("address", _NEAR_LINK, "type", "veth", "peer", "name", "far", "address", _FAR_LINK)
    _ip("link", "add", "near", *ends, "netns", f"/proc/self/fd/{far}", descriptors=(far,))
    for namespace, device, address in ((near, "near", NEAR_ADDRESS), (far, "far", FAR_ADDRESS)):
        with _inside(namespace):
            _ip("link", "set", "lo", "up")
            _ip("address", "add", f"{address}/24", "dev", device)
            _ip("link", "set", device, "up")


def _make_namespace() -> int:
    """Make a network namespace and enter it; returns a descriptor that keeps it."""
    _check(_libc.unshare(_CLONE_NEWNET), "unshare")
    return _current_namespace()


def _current_namespace() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


@contextmanager
def _inside(namespace: int) -> Iterator[None]:
    before = _current_namespace()
    try:
        _enter(namespace)
        yield
    finally:
        _enter(before)
        os.close(before)


def _enter(namespace: int) -> None:
    _check(_libc.setns(namespace, _CLONE_NEWNET), "setns")


def _check(status: int, call: str) -> None:
    if status:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")


def _ip(*words: str, descriptors: tuple[int, ...] = ()) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False, pass_fds=descriptors)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"
