"""What the job figures measure: one interface for every job queue, so that all are measured in the same way."""

from typing import Literal, Protocol

import msgspec

Settings = Literal["tuned", "defaults"]
# What else the job table holds: nothing, jobs that are due in an hour, or ready jobs that nobody here asks for.
Depth = Literal["empty", "future", "other"]


class Drained(msgspec.Struct, frozen=True):
    """How a drain went: what was completed by its end, when that was, and what it cost the server.

    `commits` are the transactions that wrote.
    """

    jobs: int
    seconds: float
    wal_bytes: int
    commits: int

    @property
    def rate(self) -> float:
        """Jobs completed per second."""
        return self.jobs / self.seconds


class JobSystem(Protocol):
    """A job queue, in one of the ways to set it up."""

    @property
    def name(self) -> str:
        """What the table calls it."""

    @property
    def version(self) -> str:
        """The release that is measured; empty for what is of this repository."""

    @property
    def settings(self) -> tuple[Settings, ...]:
        """With which settings it is measured; the first is the one that counts."""

    def drain(self, settings: Settings, *, processes: int, jobs: int, depth: Depth, times: int) -> list[Drained]:
        """Drain jobs that do nothing, so many times in the same processes: new ones at first, later warm ones.

        See `time_drain` for how the clock runs. A drain that takes too long is cut short, and is then the last.
        Raises `BenchError`.
        """

    def enqueue_bulk(self, settings: Settings, jobs: int) -> float:
        """Add jobs with the fastest call that there is; returns the seconds. Raises `BenchError`."""

    def enqueue_single(self, settings: Settings, jobs: int) -> float:
        """Add jobs one after the other, each in a transaction of its own; returns the seconds. Raises `BenchError`."""

    def measure_pickup(self, settings: Settings, jobs: int, seconds: float) -> list[float]:
        """Return the ms from before a job is added until its handler runs, in one idle consumer process.

        One job after the other, at most `jobs`, and as many as fit into the time. Raises `BenchError`.
        """

    def count_idle(self, settings: Settings, seconds: float) -> float:
        """Return the transactions per second of one consumer process that has nothing to do. Raises `BenchError`."""

    def discard(self) -> None:
        """Throw away everything that was made for measuring."""
