"""`GET /metrics`: what a Prometheus sees of jobs, executors, the database and this process."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from services.ingest import report_metrics
from shared.errors import DatabaseUnavailableError
from tests.database import TestDatabase
from tests.engine import Engine
from tests.service.ingest.door import Door, open_door
from tests.service.ingest.publishing import ANYTHING, enqueue_many, publish
from tests.service.ingest.scribe import start_scribe
from tests.stored_logs import add_log, make_chunks

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def scrape(door: Door, role: str | None = "viewer") -> Samples:
    answer = await door.get("/metrics", role=role)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def of(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((name, frozenset(labels.items())))


async def test_jobs_queues_and_executors_are_counted(door: Door, engine: Engine) -> None:
    await publish(engine, note=ANYTHING)
    await enqueue_many(door, [{"type": "note"}] * 3 + [{"type": "note", "delay_seconds": 60, "queue": "slow"}])
    await start_scribe(engine)
    door.sql("insert into queue values ('slow', now(), 'token:ada', null)")
    door.sql("update job set run_at = now() - interval '100 s' where state = 'ready'")
    samples = await scrape(door)
    assert of(samples, "howdah_jobs", kind="handler", queue="default", type="note", state="ready") == 3
    assert of(samples, "howdah_jobs", kind="handler", queue="slow", type="note", state="scheduled") == 1
    assert of(samples, "howdah_jobs", kind="shell", queue="default", type="", state="running") == 1
    assert 100 <= (of(samples, "howdah_queue_ready_age_seconds", queue="default") or 0) < 200
    assert of(samples, "howdah_queue_ready_age_seconds", queue="slow") is None
    assert of(samples, "howdah_queue_paused", queue="slow") == 1
    assert of(samples, "howdah_queue_paused", queue="default") == 0
    assert of(samples, "howdah_queue_executors", queue="default") == 1
    assert of(samples, "howdah_executors", state="active") == 1
    assert of(samples, "howdah_database_up") == 1
    assert of(samples, "howdah_notifications_pending") == 0
    assert of(samples, "howdah_table_dead_rows", table="job") is not None
    assert of(samples, "howdah_notify_queue_usage_ratio") == 0


async def test_logs_that_wait_to_be_packed_are_counted(door: Door, engine: Engine) -> None:
    chunks = make_chunks([(0, 1, b"a line\n")])
    assert of(await scrape(door), "howdah_logs_unpacked_age_seconds") == 0
    for ended in (datetime.now(UTC) - timedelta(seconds=100), datetime.now(UTC), None):
        add_log(engine, chunks, started=datetime.now(UTC), ended=ended)
    samples = await scrape(door)
    assert of(samples, "howdah_logs_unpacked") == 2
    assert 100 <= (of(samples, "howdah_logs_unpacked_age_seconds") or 0) < 200


async def test_whoever_keeps_the_database_from_cleaning_up_is_named(door: Door, database: TestDatabase) -> None:
    with psycopg.connect(database.dsn("executor"), application_name="a slow report") as holder:
        holder.execute("set transaction isolation level repeatable read")
        holder.execute("select 1")
        for _ in range(3):
            door.sql("select pg_current_xact_id()")
        samples = await scrape(door)
        assert (of(samples, "howdah_oldest_xmin_age", holder="session a slow report") or 0) >= 3


async def test_requests_are_counted_by_route_and_strangers_make_no_series(door: Door) -> None:
    for _ in range(2):
        await door.get("/api/v1/jobs?limit=1", role="viewer")
    await door.get("/api/v1/jobs/01234567-89ab-7def-8123-456789abcdef", role="viewer")
    for path in ("/nowhere", "/nowhere/else"):
        await door.get(path, role=None)
    samples = await scrape(door)

    def count(route: str, status: str) -> float | None:
        return of(samples, "howdah_http_request_seconds_count", method="GET", route=route, status=status)

    assert count("/api/v1/jobs", "200") == 2
    assert count("/api/v1/jobs/{job}", "404") == 1
    assert count("none", "404") == 2
    assert not any("nowhere" in value for _, labels in samples for _, value in labels)


async def test_metrics_need_a_token_unless_the_operator_opens_them(door: Door, database: TestDatabase) -> None:
    assert (await door.get("/metrics", role=None)).status_code == 401
    async with open_door(database, door.tokens, metrics_open=True) as other:
        assert of(await scrape(other, role=None), "howdah_database_up") == 1


async def test_without_the_database_the_process_still_tells_of_itself(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    await door.get("/health")

    async def unavailable(_: Any) -> None:
        raise DatabaseUnavailableError("gone")

    monkeypatch.setattr(report_metrics, "read_metrics", unavailable)
    samples = await scrape(door)
    assert of(samples, "howdah_database_up") == 0
    assert of(samples, "howdah_http_request_seconds_count", method="GET", route="/health", status="200") is not None
    assert not any(name == "howdah_jobs" for name, _ in samples)
