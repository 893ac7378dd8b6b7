"""The clients of the log streams, a process of its own: many connections that read server-sent events and check them.

Reads a `Watch` as JSON from standard input, opens every stream, says `ready` when all stand, and writes a `Watched` as
JSON once every stream of a job has ended and those of all jobs have brought what they should, or standard input is
closed. The lines are those of `print_steadily`. Plain sockets and epoll, so that it takes little of the cores that the
services need too.
"""

import select
import socket
import sys
import time
import zlib
from collections import Counter
from typing import Final

import msgspec

LINE_BYTES: Final = 100
_STAMP: Final = slice(9, 29)
_BUFFER_BYTES: Final = 256 * 1024
# The one path whose streams do not end.
ALL_LOGS: Final = "/api/v1/stream/logs"


class Watch(msgspec.Struct, frozen=True):
    """Which paths to open, each as often as it stands here, and how many lines each is to bring in all."""

    port: int
    token: str
    paths: list[str]
    lines: dict[str, int]


class Watched(msgspec.Struct, frozen=True):
    """What came, by path: for each client the lines and their CRC-32 by job, and how late lines were.

    `late` counts lines by whole ms from printed to received. A stream of one job has the job's id nowhere: its key is
    empty. `cpu_seconds` is what this process has taken.
    """

    clients: dict[str, list[dict[str, tuple[int, int]]]]
    late: dict[str, dict[int, int]]
    last_at: float
    cpu_seconds: float


class _Event(msgspec.Struct, frozen=True):
    stream: str = ""
    text: str = ""
    job_id: str = ""


_decode = msgspec.json.Decoder(_Event).decode


class _Tally:
    """What has come of one job's log over one stream."""

    def __init__(self) -> None:
        self.lines = 0
        self.crc = 0
        self._rest = b""

    def add(self, text: bytes, now: int, late: Counter[int]) -> None:
        """Count whole lines, and how late each was."""
        text = self._rest + text
        count = len(text) // LINE_BYTES
        whole = count * LINE_BYTES
        self._rest = text[whole:]
        self.crc = zlib.crc32(text[:whole], self.crc)
        self.lines += count
        for start in range(0, whole, LINE_BYTES):
            late[(now - int(text[start + _STAMP.start : start + _STAMP.stop])) // 1_000_000] += 1


class _Client:
    """One stream."""

    def __init__(self, watch: Watch, path: str) -> None:
        self.path = path
        self.stands = self.ended = False
        self.tallies: dict[str, _Tally] = {}
        self.socket = socket.create_connection(("127.0.0.1", watch.port))
        self._raw = bytearray()
        self._body = bytearray()
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {watch.token}\r\n\r\n".encode()
        )

    @property
    def lines(self) -> int:
        """How many lines have come."""
        return sum(tally.lines for tally in self.tallies.values())

    def read(self, late: Counter[int]) -> None:
        """Take in what is there."""
        piece = self.socket.recv(_BUFFER_BYTES)
        now = time.time_ns()
        if not piece:
            self.ended = True
            return
        self._raw += piece
        if not self.stands:
            self._read_head()
        if self.stands:
            self._unchunk()
            *events, rest = self._body.split(b"\n\n")
            self._body = rest
            for event in events:
                self._take(bytes(event), now, late)

    def _read_head(self) -> None:
        head, separator, rest = bytes(self._raw).partition(b"\r\n\r\n")
        if not separator:
            return
        if b" 200 " not in head.partition(b"\r\n")[0] or b"transfer-encoding: chunked" not in head.lower():
            raise ConnectionError(f"{self.path} answered {head!r}")
        self.stands, self._raw = True, bytearray(rest)

    def _unchunk(self) -> None:
        """Move the content of the complete chunks of HTTP (RFC 9112, 7.1) to the body."""
        start = 0
        while (end := self._raw.find(b"\r\n", start)) >= 0:
            size = int(self._raw[start:end], 16)
            following = end + 2 + size + 2
            if len(self._raw) < following:
                break
            self._body += self._raw[end + 2 : end + 2 + size]
            self.ended = self.ended or not size
            start = following
        del self._raw[:start]

    def _take(self, event: bytes, now: int, late: Counter[int]) -> None:
        if b"event: end" in event.partition(b"data: ")[0]:
            self.ended = True
            return
        _, found, data = event.partition(b"data: ")
        if not found:
            return
        said = _decode(data)
        if said.stream == "stdout":
            self.tallies.setdefault(said.job_id, _Tally()).add(said.text.encode(), now, late)


def main() -> None:
    """Watch until all has come."""
    watch = msgspec.json.decode(sys.stdin.buffer.readline(), type=Watch)
    late = {path: Counter[int]() for path in watch.lines}
    clients = [_Client(watch, path) for path in watch.paths]
    last_at = _follow(clients, watch, late)
    result = Watched(
        {
            path: [
                {job: (tally.lines, tally.crc) for job, tally in client.tallies.items()}
                for client in clients
                if client.path == path
            ]
            for path in watch.lines
        },
        {path: dict(counts) for path, counts in late.items()},
        last_at,
        time.process_time(),
    )
    sys.stdout.buffer.write(msgspec.json.encode(result))


def _follow(clients: list[_Client], watch: Watch, late: dict[str, Counter[int]]) -> float:
    """Read until every stream is done; returns when the last line came (Unix seconds)."""
    by_fd = {client.socket.fileno(): client for client in clients}
    waiting = len(clients)
    last_at = time.time()
    with select.epoll() as poll:
        for fd in [sys.stdin.fileno(), *by_fd]:
            poll.register(fd, select.EPOLLIN)
        while not all(_is_done(client, watch) for client in by_fd.values()):
            for fd, _ in poll.poll():
                if fd == sys.stdin.fileno():
                    return last_at  # what has not come is told by the counts
                client = by_fd[fd]
                stood, lines = client.stands, client.lines
                client.read(late[client.path])
                if client.lines > lines:
                    last_at = time.time()
                if client.stands and not stood:
                    waiting -= 1
                    if not waiting:
                        sys.stdout.write("ready\n")
                        sys.stdout.flush()
                if client.ended:
                    poll.unregister(fd)
                    client.socket.close()
                    del by_fd[fd]
    return last_at


def _is_done(client: _Client, watch: Watch) -> bool:
    """Whether an open stream may be left: that of a job ends by itself."""
    return client.path == ALL_LOGS and client.lines >= watch.lines[client.path]


if __name__ == "__main__":
    main()
