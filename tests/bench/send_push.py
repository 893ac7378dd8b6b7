"""Signed pushes as the bytes of an HTTP request, and the plainest way to send one."""

import json
import socket
import time
import uuid
from typing import Final

import msgspec

from shared.sign_webhook import sign_webhook, signing_key
from tests.bench.open_bench import BenchError

_BUFFER_BYTES: Final = 65536


class Answer(msgspec.Struct, frozen=True):
    """What ingest answered, and when (Unix time in seconds)."""

    run_id: str
    at: float


def write_push(name: str, secret: str, *, before: str, after: str, title: str = "A commit of the bench") -> bytes:
    """Return the request that tells of a push to main, signed as Standard Webhooks says; each is a new one."""
    body = json.dumps(
        {"ref": "refs/heads/main", "before": before, "after": after, "title": title, "author": "Mahout"}
    ).encode()
    message_id, timestamp = f"msg_{uuid.uuid4().hex}", str(int(time.time()))
    signature = sign_webhook(signing_key(secret), message_id=message_id, timestamp=timestamp, body=body)
    head = (
        f"POST /webhooks/{name} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\nwebhook-id: {message_id}\r\nwebhook-timestamp: {timestamp}\r\n"
        f"webhook-signature: {signature}\r\n\r\n"
    )
    return head.encode() + body


def send_push(port: int, request: bytes) -> Answer:
    """Send a request on a connection of its own. Raises `BenchError` unless it is accepted."""
    return send_pushes(port, [request])[0]


def send_pushes(port: int, requests: list[bytes]) -> list[Answer]:
    """Send requests all at once, each on a connection of its own; then collect the answers, in order."""
    connections = []
    try:
        for request in requests:
            connections.append(socket.create_connection(("127.0.0.1", port)))
            connections[-1].sendall(request)
        return [_read_answer(connection) for connection in connections]
    finally:
        for connection in connections:
            connection.close()


def _read_answer(connection: socket.socket) -> Answer:
    received = b""
    while b"}" not in received:
        piece = connection.recv(_BUFFER_BYTES)
        if not piece:
            break
        received += piece
    at = time.time()
    head, _, body = received.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 202"):
        raise BenchError(f"a push was not accepted: {received[:500]!r}")
    return Answer(json.loads(body)["run_id"], at)
