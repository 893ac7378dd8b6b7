"""A TCP proxy before the database, that can lose answers and fall silent, as a network does."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit, urlunsplit


class Proxy:
    """Passes bytes on in both directions; `lose_answers` and `fall_silent` change that."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._trigger: bytes | None = None
        self._silent = threading.Event()
        self.lost = threading.Event()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def lose_answer_to(self, statement: bytes) -> None:
        """The next time that `statement` passes by: let the server do it, lose its answer, and cut the connection."""
        self.lost.clear()
        self._trigger = statement

    def fall_silent(self) -> None:
        """From now on swallow everything, without closing: a half-open connection."""
        self._silent.set()

    def speak_again(self) -> None:
        """Cut all connections that were silent, and pass on new ones."""
        self._silent.clear()
        self._cut_all()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._cut_all()
        for thread in self._threads:
            thread.join(10)

    def _cut_all(self) -> None:
        for pair in self._pairs:
            for end in pair:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        self._pairs.clear()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._target)
            except OSError:
                client.close()
                continue
            self._pairs.append((client, server))
            cut = threading.Event()
            for source, sink, is_answer in ((client, server, False), (server, client, True)):
                thread = threading.Thread(target=self._pass_on, args=(source, sink, is_answer, cut), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, is_answer: bool, cut: threading.Event) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if self._silent.is_set():
                    continue
                if not is_answer and self._trigger is not None and self._trigger in data:
                    self._trigger = None
                    cut.set()
                if is_answer and cut.is_set():
                    # The server has answered: what was asked for is committed. Nobody will know.
                    self.lost.set()
                    break
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        source.close()


@contextmanager
def run_proxy(dsn: str) -> Iterator[tuple[Proxy, str]]:
    """Put a proxy before a database; gives it and the connection URI that leads through it."""
    parts = urlsplit(dsn)
    proxy = Proxy((parts.hostname or "127.0.0.1", parts.port or 5432))
    host = f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{proxy.port}"
    try:
        yield proxy, urlunsplit(parts._replace(netloc=host))
    finally:
        proxy.close()
