"""A TCP proxy before the database, that can lose answers and fall silent, as a network does.

It can also keep one statement, or its answer, to itself: time to kill the process that waits for it.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum, auto
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit


class Fate(Enum):
    """What becomes of a statement that is waited for."""

    ANSWER_LOST = auto()
    ANSWER_HELD = auto()
    HELD = auto()


class Trigger(NamedTuple):
    """A statement that is waited for, and what becomes of it."""

    statement: bytes
    fate: Fate


class Proxy:
    """Passes bytes on in both directions; `lose_answer_to`, `hold_back` and `fall_silent` change that."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._trigger: Trigger | None = None
        self._silent = threading.Event()
        # Set once the statement that was waited for has met its fate.
        self.met = threading.Event()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def lose_answer_to(self, statement: bytes) -> None:
        """The next time that `statement` passes by: let the server do it, lose its answer, and cut the connection."""
        self._wait_for(statement, Fate.ANSWER_LOST)

    def hold_answer_to(self, statement: bytes) -> None:
        """The next time that `statement` passes by: let the server do it, and keep its answer for ever."""
        self._wait_for(statement, Fate.ANSWER_HELD)

    def hold_back(self, statement: bytes) -> None:
        """The next time that `statement` passes by: keep it for ever; the server never hears of it."""
        self._wait_for(statement, Fate.HELD)

    def _wait_for(self, statement: bytes, fate: Fate) -> None:
        self.met.clear()
        self._trigger = Trigger(statement, fate)

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
            connection = _Connection()
            for source, sink, is_answer in ((client, server, False), (server, client, True)):
                thread = threading.Thread(target=self._pass_on, args=(source, sink, is_answer, connection), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, is_answer: bool, connection: "_Connection") -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if self._silent.is_set():
                    continue
                trigger = self._trigger
                if not is_answer and trigger is not None and trigger.statement in data:
                    self._trigger = None
                    connection.fate = trigger.fate
                if connection.fate is Fate.HELD or (is_answer and connection.fate is not None):
                    # Of an answer: what was asked for is committed by now. Nobody will know.
                    self.met.set()
                    if connection.fate is Fate.ANSWER_LOST:
                        break
                    continue
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        source.close()


class _Connection:
    """What both directions of one connection know of each other."""

    def __init__(self) -> None:
        self.fate: Fate | None = None


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
