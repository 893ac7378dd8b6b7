"""A driver's side of `driver_process`, in Python: the same lines as `serve_commands.mjs` reads and writes.

Only the standard library: the peers' own environment has nothing of Howdah's.
"""

import asyncio
import json
import sys
import time
import traceback
from typing import Any, Final, Protocol

_REPORT_AFTER_SECONDS: Final = 0.002


class Commands(Protocol):
    """What a driver can be told to do; the answer of each is JSON."""

    async def open(self, *, dsn: str, settings: str) -> None:
        """Connect, so that everything else needs no connection to be made. `settings`: tuned or defaults."""

    async def install(self) -> None:
        """Make the schema."""

    async def enqueue(self, *, jobs: int, bulk: bool, other: bool, future: bool) -> dict[str, float]:
        """Add jobs, at once or one transaction each; returns when this began, and the seconds that it took."""

    async def work(self) -> None:
        """Start to consume; handlers call `Handled.count`."""

    async def rest(self) -> None:
        """Stop to consume, in good order."""

    async def close(self) -> None:
        """Disconnect."""


def say(message: dict[str, Any]) -> None:
    """Write one line."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


class Handled:
    """How many jobs have been handled; said soon after it changes."""

    def __init__(self) -> None:
        self._jobs = 0
        self._reporting = False

    def count(self, jobs: int) -> None:
        """Count jobs whose handler runs now."""
        self._jobs += jobs
        if not self._reporting:
            self._reporting = True
            asyncio.get_running_loop().call_later(_REPORT_AFTER_SECONDS, self._report, time.monotonic())

    def _report(self, at: float) -> None:
        self._reporting = False
        say({"handled": self._jobs, "at": at})


async def serve_commands(commands: Commands) -> None:
    """Carry out commands, one after the other, until standard input ends."""
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async for line in lines:
        words = json.loads(line)
        try:
            say({"answer": await getattr(commands, words.pop("do"))(**words)})
        except Exception:  # noqa: BLE001 - whatever went wrong is told to whoever asked
            say({"error": traceback.format_exc()})
