"""What a figure measured: samples in brief, beside those of the reference, and whether the aim was reached."""

from collections.abc import Sequence
from statistics import median

import msgspec


class Spread(msgspec.Struct, frozen=True):
    """Samples of one quantity in brief. `p95` is null where there are too few to tell."""

    median: float
    least: float
    most: float
    count: int
    p95: float | None = None


class Aim(msgspec.Struct, frozen=True):
    """What was to be reached, in words, and whether it was."""

    text: str
    reached: bool


class Line(msgspec.Struct, frozen=True):
    """One line of the table. `ratio` is Howdah over reference, within each round; null is what was not measured."""

    what: str
    unit: str
    howdah: Spread | None
    reference: Spread | None = None
    ratio: Spread | None = None
    aim: Aim | None = None


class Outcome(msgspec.Struct, frozen=True):
    """Everything that one figure has to say."""

    lines: list[Line]
    note: str = ""


_ENOUGH_FOR_P95 = 20


def summarize(samples: Sequence[float]) -> Spread:
    """Return the samples in brief."""
    ordered = sorted(samples)
    p95 = ordered[round(0.95 * (len(ordered) - 1))] if len(ordered) >= _ENOUGH_FOR_P95 else None
    return Spread(median(ordered), ordered[0], ordered[-1], len(ordered), p95)


def compare(howdah: Sequence[float], reference: Sequence[float]) -> Spread:
    """Return the ratios of samples that were taken in the same round; their middle is the ratio of the medians."""
    ratios = summarize([one / other for one, other in zip(howdah, reference, strict=True)])
    return msgspec.structs.replace(ratios, median=median(howdah) / median(reference))


def subtract(howdah: Sequence[float], reference: Sequence[float]) -> Spread:
    """Return the differences of samples of the same round; their middle is the difference of the medians."""
    rest = summarize([one - other for one, other in zip(howdah, reference, strict=True)])
    return msgspec.structs.replace(rest, median=median(howdah) - median(reference))


def at_most(limit: float, value: float | None, unit: str) -> Aim:
    """Return the aim that a value is no more than `limit`."""
    return Aim(f"≤ {limit:g} {unit}".strip(), value is not None and value <= limit)


def at_least(limit: float, value: float, unit: str = "") -> Aim:
    """Return the aim that a value is no less than `limit`."""
    return Aim(f"≥ {limit:g} {unit}".strip(), value >= limit)
