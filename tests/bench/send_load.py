"""The load of the webhook figures, a process of its own: so many connections, each always waiting for one answer.

Reads a `Load` as JSON from standard input, builds and signs every request beforehand, says `ready`, waits for a
line, sends until the time is up, and writes a `Served` as JSON. Plain sockets and epoll, so that it takes little of
the cores that the servers need too.
"""

import itertools
import re
import select
import socket
import sys
import time
from collections import Counter, deque
from typing import Final

import msgspec

from tests.bench.send_push import write_push

_BUFFER_BYTES: Final = 65536
_LENGTH: Final = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)


class Target(msgspec.Struct, frozen=True):
    """A pipeline to push to."""

    name: str
    secret: str


class Load(msgspec.Struct, frozen=True):
    """What to send, and for how long."""

    port: int
    connections: int
    seconds: float
    most_requests: int
    targets: list[Target]


class Served(msgspec.Struct, frozen=True):
    """What came of it: answers by status, the time that they took in all, and each one's median."""

    statuses: dict[int, int]
    seconds: float
    median_ms: float


def main() -> None:
    """Serve one load."""
    load = msgspec.json.decode(sys.stdin.buffer.readline(), type=Load)
    requests = _build(load)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.buffer.readline()
    sys.stdout.buffer.write(msgspec.json.encode(_send(load, requests)))


def _build(load: Load) -> deque[bytes]:
    commits = ("0" * 40, "1" * 40)
    return deque(
        write_push(
            target.name, target.secret, before=commits[number % 2], after=f"{number:040x}", title=f"push {number}"
        )
        for number, target in zip(range(1, load.most_requests + 1), itertools.cycle(load.targets), strict=False)
    )


class _Connection:
    """One connection with one request under way."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.sent_at = 0.0

    def send(self, request: bytes) -> None:
        self.received = b""
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def read_status(self) -> int | None:
        """Read what is there; return the answer's status once it is complete."""
        piece = self.socket.recv(_BUFFER_BYTES)
        if not piece:
            raise ConnectionError("the server has closed a connection")
        self.received += piece
        head, separator, body = self.received.partition(b"\r\n\r\n")
        if not separator:
            return None
        length = _LENGTH.search(head + b"\r\n")
        if length is None:
            raise ConnectionError(f"no content-length in {head!r}")
        return int(head[9:12]) if len(body) >= int(length[1]) else None


def _send(load: Load, requests: deque[bytes]) -> Served:
    statuses: Counter[int] = Counter()
    waits: list[float] = []
    with select.epoll() as watch:
        connections: dict[int, _Connection] = {}
        for _ in range(load.connections):
            connection = _Connection(load.port)
            connections[connection.socket.fileno()] = connection
            watch.register(connection.socket, select.EPOLLIN)
        began = ended = time.perf_counter()
        for connection in connections.values():
            connection.send(requests.popleft())
        under_way = len(connections)
        while under_way:
            for fd, _ in watch.poll():
                connection = connections[fd]
                status = connection.read_status()
                if status is None:
                    continue
                ended = time.perf_counter()
                statuses[status] += 1
                waits.append(ended - connection.sent_at)
                if requests and ended - began < load.seconds:
                    connection.send(requests.popleft())
                else:
                    under_way -= 1
        for connection in connections.values():
            connection.socket.close()
    return Served(dict(statuses), ended - began, sorted(waits)[len(waits) // 2] * 1000)


if __name__ == "__main__":
    main()
