"""The drawn state machines, the SQL's own words, and next_job_state say the same."""

import itertools
import re
from pathlib import Path

import psycopg
import pytest

from tests.database import TestDatabase

ROOT = Path(__file__).parent.parent.parent
Edges = set[tuple[str, str]]


def drawn(machine: str) -> Edges:
    """The arrows of one diagram of docs/state-machine.md, without entry and exit."""
    text = (ROOT / "docs" / "state-machine.md").read_text()
    section = text.split(f"\n## {machine.capitalize()}\n", 1)[1].split("\n## ", 1)[0]
    diagram = section.split("```mermaid", 1)[1].split("```", 1)[0]
    return set(re.findall(r"(\w+) --> (\w+)", diagram))


def written(machine: str) -> Edges:
    """The arrows that the queries say they move along: `-- moves job: ready → running`."""
    edges: Edges = set()
    for file in (ROOT / "sql" / "queries").rglob("*.sql"):
        for sources, targets in re.findall(rf"^-- moves {machine}: (.+) → (.+)$", file.read_text(), re.MULTILINE):
            edges |= set(itertools.product(sources.split(" | "), targets.split(" | ")))
    return edges


@pytest.mark.parametrize("machine", ["job", "run", "executor", "notification"])
def test_the_drawn_arrows_are_those_of_the_queries(machine: str) -> None:
    assert written(machine)
    assert drawn(machine) == written(machine)


def test_next_job_state_leads_only_along_drawn_arrows_and_along_all_of_them(database: TestDatabase) -> None:
    with psycopg.connect(database.dsn()) as connection:
        rows = connection.execute(
            """
            select distinct next_job_state(
                outcome::attempt_outcome, retryable, cancel_requested, used, 3, losses, 3, in_run
            )::text
            from unnest(enum_range(null::attempt_outcome)) as outcome,
                unnest(array[true, false]) as retryable,
                unnest(array[true, false]) as cancel_requested,
                generate_series(0, 3) as used,
                generate_series(0, 3) as losses,
                unnest(array[true, false]) as in_run
            """
        ).fetchall()
    assert {state for (state,) in rows} == {target for source, target in drawn("job") if source == "running"}


@pytest.mark.parametrize("used", [1, 2, 3])
@pytest.mark.parametrize("in_run", [True, False])
def test_a_retryable_outcome_is_retried_until_the_attempts_are_used_up(
    database: TestDatabase, used: int, in_run: bool
) -> None:
    with psycopg.connect(database.dsn()) as connection:
        row = connection.execute(
            "select next_job_state('errored', true, false, %s, 3, 0, 3, %s)::text", [used, in_run]
        ).fetchone()
    exhausted = "failed" if in_run else "dead"
    assert row == (("scheduled" if used < 3 else exhausted),)
