"""What no statement of the schema may forget."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
SOURCES = [path for path in (ROOT / "services").glob("*/*.py") if path.parent.name != "queries"]
STATEMENTS = [*(ROOT / "sql" / "migrations").glob("*.sql"), *(ROOT / "sql" / "queries").glob("*/*.sql")]


def test_every_channel_that_is_rung_is_listened_to_and_documented() -> None:
    rung = {channel for file in STATEMENTS for channel in re.findall(r"\bring\('(\w+)'", file.read_text())}
    listened = {
        channel
        for source in SOURCES
        if "run_listener" in (text := source.read_text())
        for channel in re.findall(r'"(\w+)"', text)
    }
    documented = set(re.findall(r"`(\w+)`", (ROOT / "docs" / "architecture.md").read_text()))
    assert "handler_job_ready" in rung
    assert rung - listened == set()
    assert rung - documented == set()


def test_whoever_inserts_jobs_counts_them() -> None:
    inserts = {}
    for file in STATEMENTS:
        text = file.read_text().partition("-- migrate:down")[0]
        jobs, counts = len(re.findall(r"insert into job\b", text)), text.count("insert into job_count_change")
        if jobs and file.name > "20261125000104":  # which counts what there was before
            inserts[file.name] = (jobs, counts)
    assert "plan_run.sql" in inserts
    assert {name: both for name, both in inserts.items() if both[0] != both[1]} == {}
