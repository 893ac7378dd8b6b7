"""What a command does to jobs on their own, whichever command it is and however many jobs it is about."""

from collections.abc import Awaitable, Callable

import msgspec

from shared.db import Connection
from shared.ids import CommandId, JobId
from shared.queries.models import JobState


class Wanted(msgspec.Struct, frozen=True):
    """The jobs that a command means, in the transaction that changes them."""

    command_id: CommandId
    job_ids: list[JobId]
    # Those in other states, or with another reason, by the time that they are locked, are not meant any more.
    states: list[JobState]
    reason: str | None
    # How often a job may be brought back from its end.
    max_redrives: int


class Tally(msgspec.Struct, frozen=True):
    """What has become of the jobs that a command meant."""

    # Changed their state.
    moved: int = 0
    # Run, and were asked to end.
    asked: int = 0
    # May not be changed once more.
    refused: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.moved + other.moved, self.asked + other.asked, self.refused + other.refused)


class Move(msgspec.Struct, frozen=True):
    """One kind of command about jobs."""

    # What it is called in the sentence that says what came of it: `nothing to cancel`.
    verb: str
    # The states that it applies to.
    states: tuple[JobState, ...]
    apply: Callable[[Connection, Wanted], Awaitable[Tally]]
    # A sentence about a tally that is not all zero; gets `max_redrives`, too.
    describe: Callable[[Tally, int], str]


def count_jobs(number: int, kind: str = "") -> str:
    """Return `1 job`, `2 dead jobs`."""
    return f"{number} {kind}{' ' if kind else ''}job{'' if number == 1 else 's'}"
