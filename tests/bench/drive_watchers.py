"""Have a process of its own watch log streams, while jobs print."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from deploy.embedded.stack import ROOT
from tests.bench.open_bench import BenchError
from tests.bench.watch_logs import Watch, Watched


class Watchers:
    """The process, once all of its streams stand."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.pid = process.pid

    def collect(self, patience_seconds: float) -> Watched:
        """Return what has come, when all has, or the time is up. Raises `BenchError`."""
        if self._process.stdin is None or self._process.stdout is None:
            raise BenchError("the pipes of the process that watches are missing")
        # Once its input is closed, it says what has come so far.
        end = threading.Timer(patience_seconds, self._process.stdin.close)
        end.start()
        said = self._process.stdout.read()
        end.cancel()
        if self._process.wait():
            raise BenchError(f"the process that watches ended with status {self._process.returncode}")
        return msgspec.json.decode(said, type=Watched)


@contextmanager
def watch_logs(watch: Watch) -> Iterator[Watchers]:
    """Open the streams in a process of its own. Raises `BenchError` if one is refused."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.bench.watch_logs"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            if process.stdin is None or process.stdout is None:
                raise BenchError("the pipes of the process that watches are missing")
            process.stdin.write(msgspec.json.encode(watch) + b"\n")
            process.stdin.flush()
            if process.stdout.readline() != b"ready\n":
                raise BenchError("not every stream could be opened")
            yield Watchers(process)
        finally:
            process.kill()
