"""A process that drives one job queue with its own client, and is told what to do in JSON lines."""

import contextlib
import os
import selectors
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from deploy.embedded.stack import ROOT
from tests.bench.open_bench import BenchError

_PATIENCE_SECONDS: Final = 120.0
_END_SECONDS: Final = 10.0
_BUFFER_BYTES: Final = 65536


class Program(msgspec.Struct, frozen=True):
    """How a driver is started."""

    command: list[str]
    environment: dict[str, str] = {}


class _Message(msgspec.Struct, frozen=True):
    answer: Any = None
    error: str | None = None
    handled: int | None = None
    at: float = 0.0


class DriverProcess:
    """One driver; `handled` is how many jobs its handlers have been given, `at` when the newest report of it began.

    `at` is in seconds of the machine's monotonic clock, as `time.monotonic` has them.
    """

    def __init__(self, program: Program, log: Path) -> None:
        self.handled = 0
        self.at = 0.0
        self._log = log
        self._answers: list[Any] = []
        self._rest = b""
        with log.open("ab") as stream:
            self._process = subprocess.Popen(
                program.command,
                cwd=ROOT,
                env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **program.environment},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
            )
        if self._process.stdin is None or self._process.stdout is None:
            raise BenchError("a driver's pipes are missing")
        self._input = self._process.stdin
        self._output = self._process.stdout.fileno()

    def tell(self, do: str, **words: object) -> None:
        """Give a command; `hear` has its answer."""
        self._input.write(msgspec.json.encode({"do": do, **words}) + b"\n")
        self._input.flush()

    def hear(self) -> Any:
        """Return the next answer. Raises `BenchError` when it is an error, or none comes."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not self._answers:
            if time.monotonic() > deadline:
                raise BenchError(f"a driver has not answered within {_PATIENCE_SECONDS:.0f} s; see {self._log}")
            read_drivers([self], 1.0)
        return self._answers.pop(0)

    def ask(self, do: str, **words: object) -> Any:
        """Give a command and return its answer. Raises `BenchError`."""
        self.tell(do, **words)
        return self.hear()

    def fileno(self) -> int:
        """Return what to wait for when there is nothing to read."""
        return self._output

    def read(self) -> None:
        """Take in what was said. Raises `BenchError` when that is an error, or the process has ended."""
        said = os.read(self._output, _BUFFER_BYTES)
        if not said:
            raise BenchError(f"a driver has ended with status {self._process.wait()}: {self._last_words()}")
        *lines, self._rest = (self._rest + said).split(b"\n")
        for line in lines:
            message = msgspec.json.decode(line, type=_Message)
            if message.error is not None:
                raise BenchError(f"a driver failed: {message.error}")
            if message.handled is not None:
                self.handled, self.at = message.handled, message.at
            else:
                self._answers.append(message.answer)

    def end(self) -> None:
        """Close its standard input, at which it ends, or kill it."""
        with contextlib.suppress(BrokenPipeError):
            self._input.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._output)

    def _last_words(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()


def read_drivers(drivers: Sequence[DriverProcess], seconds: float) -> None:
    """Take in what any of the drivers says, or let the time pass. Raises `BenchError`."""
    with selectors.DefaultSelector() as selector:
        for driver in drivers:
            selector.register(driver, selectors.EVENT_READ, driver)
        for key, _ in selector.select(seconds):
            key.data.read()
