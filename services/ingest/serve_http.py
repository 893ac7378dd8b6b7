"""The HTTP server: uvicorn, started and stopped by us rather than by signals of its own."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import anyio
import uvicorn
from litestar.types import ASGIApp

from shared.errors import ConfigurationError
from shared.stop import Stop

_BACKLOG: Final = 1024
# Requests in flight may take this long after being asked to stop; longer than any statement may.
_GRACE_SECONDS: Final = 40


class _Server(uvicorn.Server):
    """Leaves signals alone: `shared.stop` has them."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind_socket(address: str, port: int) -> socket.socket:
    """Return a socket with the port, free for port 0. Nobody can connect until `serve_http` listens on it.

    Raises `ConfigurationError`.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # Inherited by connections. Head and body of an answer are two writes: the second must not wait for an
        # acknowledgement, which clients delay by 40 ms.
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((address, port))
    except OSError as error:
        bound.close()
        raise ConfigurationError(f"cannot listen on {address} port {port}: {error}") from error
    return bound


async def serve_http(app: ASGIApp, bound: socket.socket, stop: Stop, *, trust_proxy: bool = False) -> None:
    """Serve until asked to stop; then take no new connections, and return once the requests in flight are answered.

    Asked again, it returns at once.
    """
    server = _Server(
        uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=trust_proxy,
            forwarded_allow_ips="*" if trust_proxy else None,
            backlog=_BACKLOG,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
    )

    async with anyio.create_task_group() as tasks:

        async def end_when_stopped() -> None:
            await stop.wait_requested()
            server.should_exit = True
            await stop.wait_urgent()
            tasks.cancel_scope.cancel()

        tasks.start_soon(end_when_stopped)
        try:
            await server.serve(sockets=[bound])
        finally:
            for listening in server.servers if server.started else ():
                listening.close()
        tasks.cancel_scope.cancel()
