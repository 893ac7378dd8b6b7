"""A small HTTP server in front of a repository: plain files (git's dumb protocol), passwords, redirects."""

import base64
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar


class Served:
    """What the server is to do, and what it has seen."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = ""
        self.password: str | None = None
        self.redirect_to: str | None = None
        self.authorizations: list[str] = []


@contextmanager
def serve_repository(folder: Path) -> Iterator[Served]:
    served = Served(folder)

    class Handler(BaseHTTPRequestHandler):
        repository: ClassVar[Served] = served

        def do_GET(self) -> None:
            authorization = self.headers.get("Authorization")
            if authorization is not None:
                served.authorizations.append(authorization)
            if served.redirect_to is not None:
                self._answer(302, {"Location": served.redirect_to + self.path})
            elif served.password is not None and not _knows(authorization, served.password):
                self._answer(401, {"WWW-Authenticate": 'Basic realm="git"'})
            else:
                path = Path(os.path.normpath(f"{served.folder}/{self.path.partition('?')[0]}"))
                if path.is_file() and path.is_relative_to(served.folder):
                    self._answer(200, {}, path.read_bytes())
                else:
                    self._answer(404, {})

        def _answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()


def _knows(authorization: str | None, password: str) -> bool:
    _, _, encoded = (authorization or "").partition(" ")
    return base64.b64decode(encoded).decode().partition(":")[2] == password
