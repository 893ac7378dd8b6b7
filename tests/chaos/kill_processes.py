"""A thread that kills a random process every second, restarts PostgreSQL now and then, and starts everything again."""

import os
import random
import threading
import time
from contextlib import suppress

from deploy.embedded.stack import ServiceProcess
from tests.chaos.test_database_deaths import bring_back
from tests.cluster import executor_child
from tests.database import EmbeddedServer


class Reaper(threading.Thread):
    """Kills one random process every second, and starts it again as an operator's supervisor would."""

    def __init__(
        self, processes: list[ServiceProcess], server: EmbeddedServer, luck: random.Random, seconds: float
    ) -> None:
        super().__init__(daemon=True)
        self._processes = processes
        self._server = server
        self._luck = luck
        self._seconds = seconds
        self.stopped = threading.Event()
        self.done = threading.Event()
        self.killed: list[str] = []

    def run(self) -> None:
        """Go on for the agreed time, then see to it that everything lives."""
        ends = time.monotonic() + self._seconds
        restarts = [ends - self._seconds * 2 / 3, ends - self._seconds / 3]
        while time.monotonic() < ends and not self.stopped.wait(1.0):
            if restarts and time.monotonic() > restarts[0]:
                restarts.pop(0)
                self._server.postgres.stop(at_once=bool(restarts))
                bring_back(self._server)
                self.killed.append("postgres")
            self._kill(self._luck.choice(self._processes))
        for process in self._processes:
            if process.ended() is not None:
                process.start()
        self.done.set()
        # The kernel ends the server that this thread has started when the thread ends: it never does.
        threading.Event().wait()

    def _kill(self, process: ServiceProcess) -> None:
        assert process.process is not None
        with suppress(ProcessLookupError, AssertionError, FileNotFoundError):
            if process.name == "executor" and self._luck.random() < 0.5:
                os.kill(executor_child(process), 9)
            else:
                process.process.kill()
        process.process.wait(30)
        self.killed.append(process.name)
        process.start()
