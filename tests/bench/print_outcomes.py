"""The table that `make bench` prints."""

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from tests.bench.outcome import Line, Outcome, Spread


def print_outcomes(console: Console, outcomes: dict[str, Outcome]) -> None:
    """Print every figure: medians, least and most in brackets."""
    table = Table(title="Howdah, beside its references in the same run", box=SIMPLE, pad_edge=False)
    for heading in ("p50 (min to max)", "unit"):
        table.add_column(heading, no_wrap=True)
    for heading in ("Howdah", "p95", "reference", "p95", "ratio", "aim"):
        table.add_column(heading, justify="right", no_wrap=True)
    for outcome in outcomes.values():
        for line in outcome.lines:
            table.add_row(*_cells(line))
        table.add_section()
    console.print(table)
    for name, outcome in outcomes.items():
        if outcome.note:
            console.print(f"[bold]{name}[/]: {outcome.note}", style="dim")


def _cells(line: Line) -> list[str]:
    return [
        line.what,
        line.unit,
        _spread(line.howdah),
        _p95(line.howdah),
        _spread(line.reference),
        _p95(line.reference),
        _spread(line.ratio, digits=2),
        "" if line.aim is None else f"[{'green' if line.aim.reached else 'red'}]{line.aim.text}[/]",
    ]


def _spread(spread: Spread | None, digits: int = 1) -> str:
    if spread is None:
        return ""
    if spread.most >= 1000:  # tenths would tell nothing there, and widen the table
        digits = 0
    if spread.count == 1:
        return f"{spread.median:.{digits}f}"
    return f"{spread.median:.{digits}f} ({spread.least:.{digits}f} to {spread.most:.{digits}f})"


def _p95(spread: Spread | None) -> str:
    return "" if spread is None or spread.p95 is None else f"{spread.p95:.1f}"
