"""Who takes part in the job figures, and how what they did becomes lines of the table."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, TypeVar

import msgspec

from tests.bench.howdah_jobs import open_howdah_jobs
from tests.bench.howdah_loop import open_howdah_loop
from tests.bench.job_loop import open_job_loop
from tests.bench.open_bench import Bench
from tests.bench.outcome import Aim, Line, Spread, compare, summarize
from tests.bench.peers.job_system import JobSystem, Settings
from tests.bench.peers.list_peers import list_peers

T = TypeVar("T")
# Forty times slower than the others in every way: more rounds would tell nothing, and take minutes.
_ONE_ROUND: Final = ("Procrastinate",)


class Entrant(msgspec.Struct, frozen=True):
    """One job queue with one choice of settings."""

    system: JobSystem
    settings: Settings

    @property
    def label(self) -> str:
        """What the table calls it."""
        return f"{self.system.name}, {self.settings}" if len(self.system.settings) > 1 else self.system.name

    @property
    def kind(self) -> tuple[str, Settings]:
        """Name and settings: what aims are about."""
        return self.system.name, self.settings

    @property
    def is_slow(self) -> bool:
        """Whether one round has to do: defaults are measured to be shown."""
        return self.settings != self.system.settings[0] or self.kind[0] in _ONE_ROUND


class Field(msgspec.Struct, frozen=True):
    """Howdah, if it can be measured; those beside it; and of those who are not there, why."""

    howdah: Entrant | None
    others: list[Entrant]
    missing: list[str]

    @property
    def note(self) -> str:
        """What the reader must know of those beside Howdah: versions, and who is not there."""
        versions = {one.system.name: one.system.version for one in self.others if one.system.version}
        present = ", ".join(f"{name} {version}" for name, version in versions.items())
        return "".join(f" {line}." for line in [present, *self.missing] if line)


@contextmanager
def gather_entrants(bench: Bench, *, own_limit: bool = False) -> Iterator[Field]:
    """Find out who can be measured here, and throw away what they made.

    With `own_limit` there is a second bare loop: over Howdah's own tables.
    """
    peers, missing = list_peers(bench)
    howdah = open_howdah_jobs(bench)
    loops = [open_job_loop(bench), *([open_howdah_loop(bench)] if own_limit else [])]
    systems: list[JobSystem] = [howdah, *loops, *peers]
    first, *others = [Entrant(system, settings) for system in systems for settings in system.settings]
    try:
        yield Field(first, others, missing)
    finally:
        for system in systems:
            system.discard()


def take_rounds(field: Field, rounds: int, measure: Callable[[Entrant], T]) -> dict[str, list[T]]:
    """Measure everybody in turns, each round beginning with another; returns by label what each round gave."""
    everybody = [*([] if field.howdah is None else [field.howdah]), *field.others]
    taken: dict[str, list[T]] = {entrant.label: [] for entrant in everybody}
    for number in range(rounds):
        first = number % len(everybody)
        for entrant in everybody[first:] + everybody[:first]:
            if number == 0 or not entrant.is_slow:
                taken[entrant.label].append(measure(entrant))
    return taken


def line_up(
    field: Field,
    what: str,
    unit: str,
    samples: Mapping[str, Sequence[float | None]],
    judge: Callable[[Entrant, Spread], Aim | None] = lambda _entrant, _ratio: None,
) -> list[Line]:
    """Return a line for everybody beside Howdah; `judge` says what the ratio was to reach.

    A sample is null where a round gave none. Compared is what both have of the same round: who takes part in the first
    round only, with that round's.
    """
    howdah = () if field.howdah is None else samples[field.howdah.label]
    own = [sample for sample in howdah if sample is not None]
    lines = []
    for entrant in field.others:
        theirs = samples[entrant.label]
        taken = [sample for sample in theirs if sample is not None]
        if not taken:
            continue
        both = [
            (one, other) for one, other in zip(howdah, theirs, strict=False) if one is not None and other is not None
        ]
        ratio = compare([one for one, _ in both], [other for _, other in both]) if both else None
        lines.append(
            Line(
                f"{what}: {entrant.label}",
                unit,
                summarize(own) if own else None,
                summarize(taken),
                ratio,
                None if ratio is None else judge(entrant, ratio),
            )
        )
    return lines
