"""A webhook target, by default on the loopback interface, that keeps what it receives and checks the signature."""

import base64
import hashlib
import hmac
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Received(NamedTuple):
    """One request that arrived."""

    headers: dict[str, str]
    body: bytes

    def is_signed_with(self, secret: str) -> bool:
        """Whether the signature holds, as Standard Webhooks says."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + self.body
        expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        return hmac.compare_digest(expected, self.headers["webhook-signature"])


class Target(ThreadingHTTPServer):
    """A server that answers every POST with 204."""

    def __init__(self, address: str) -> None:
        super().__init__((address, 0), _Handler)
        self._address = address
        self.received: queue.Queue[Received] = queue.Queue()

    @property
    def url(self) -> str:
        """The address to send to."""
        return f"http://{self._address}:{self.server_port}/hook"


class _Handler(BaseHTTPRequestHandler):
    server: Target

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.received.put(Received({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the library's
        """Say nothing."""


@contextmanager
def run_target(address: str = "127.0.0.1") -> Iterator[Target]:
    """Serve until the block ends."""
    target = Target(address)
    thread = threading.Thread(target=target.serve_forever, daemon=True)
    thread.start()
    try:
        yield target
    finally:
        target.shutdown()
        target.server_close()
        thread.join()
