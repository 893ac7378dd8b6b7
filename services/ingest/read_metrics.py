"""What the database knows of jobs, executors and itself, as families of metrics."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

import msgspec
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from services.ingest.queries.metrics import (
    CountExecutorsRow,
    CountPendingNotificationsRow,
    CountUnpackedLogsRow,
    ReadDatabasePressureRow,
    count_executors,
    count_pending_notifications,
    count_unpacked_logs,
    read_database_pressure,
)
from services.ingest.queries.queues import ListQueuesRow, list_queues
from services.ingest.queries.report_jobs import CountJobsRow, ListOldestReadyRow, count_jobs, list_oldest_ready
from shared.db import Connection, Pool, query

_PRESSURE: Final = {
    "dead_rows": ("howdah_table_dead_rows", "Rows of a table that wait to be cleaned up.", "table"),
    "live_rows": ("howdah_table_live_rows", "Rows of a table, by PostgreSQL's own estimate.", "table"),
    "oldest_xmin_age": (
        "howdah_oldest_xmin_age",
        "For how many transactions nothing could be cleaned up, and who holds it back.",
        "holder",
    ),
    "notify_queue_usage": ("howdah_notify_queue_usage_ratio", "How full the queue of NOTIFY is, between 0 and 1.", ""),
}


class Measured(msgspec.Struct, frozen=True):
    """What was read, at one time."""

    jobs: list[CountJobsRow]
    oldest: list[ListOldestReadyRow]
    queues: list[ListQueuesRow]
    executors: list[CountExecutorsRow]
    notifications: CountPendingNotificationsRow
    logs: CountUnpackedLogsRow
    pressure: list[ReadDatabasePressureRow]


async def read_metrics(pool: Pool) -> Measured:
    """Read everything; from counters and statistics, at a cost that does not grow with the jobs.

    Raises `DatabaseUnavailableError`.
    """

    async def read(connection: Connection) -> Measured:
        return Measured(
            await count_jobs(connection),
            await list_oldest_ready(connection),
            await list_queues(connection),
            await count_executors(connection),
            await count_pending_notifications(connection),
            await count_unpacked_logs(connection),
            await read_database_pressure(connection),
        )

    return await query(pool, read)


class MeasuredCollector(Collector):
    """Tells what was read; nothing but that the database is away, if it was not to be read."""

    def __init__(self, measured: Measured | None, *, now: datetime | None = None) -> None:
        self._measured = measured
        self._now = now or datetime.now(UTC)

    def collect(self) -> Iterator[Metric]:
        """Yield the families."""
        up = self._measured is not None
        yield _gauge("howdah_database_up", "Whether the database answered.", [], [([], float(up))])
        if self._measured is None:
            return
        yield from self._jobs(self._measured)
        yield _gauge(
            "howdah_executors",
            "Live executors.",
            ["state"],
            [([row.state.value], row.executors) for row in self._measured.executors],
        )
        yield from self._notifications(self._measured.notifications)
        yield from self._logs(self._measured.logs)
        yield from _pressure(self._measured.pressure)

    def _jobs(self, measured: Measured) -> Iterator[Metric]:
        yield _gauge(
            "howdah_jobs",
            "Jobs, by the state that they are in.",
            ["kind", "queue", "type", "state"],
            [([row.kind.value, row.queue, row.job_type, row.state.value], row.jobs) for row in measured.jobs],
        )
        oldest: dict[str, float] = defaultdict(float)
        for row in measured.oldest:
            age = (self._now - row.ready_since).total_seconds()
            oldest[row.queue] = max(oldest[row.queue], age)
        yield _gauge(
            "howdah_queue_ready_age_seconds",
            "How long the oldest job has waited that a queue gives out next; no series: none is ready.",
            ["queue"],
            [([queue], age) for queue, age in oldest.items()],
        )
        yield _gauge(
            "howdah_queue_paused",
            "Whether somebody has paused the queue.",
            ["queue"],
            [([row.queue], float(row.paused_at is not None)) for row in measured.queues],
        )
        yield _gauge(
            "howdah_queue_executors",
            "Live executors that serve the queue.",
            ["queue"],
            [([row.queue], row.executors) for row in measured.queues],
        )

    def _notifications(self, row: CountPendingNotificationsRow) -> Iterator[Metric]:
        yield _gauge(
            "howdah_notifications_pending",
            "Messages that wait to be delivered; 10001 means more than 10000.",
            [],
            [([], row.pending)],
        )
        yield _gauge(
            "howdah_notifications_late_seconds",
            "How long the first of them has been due.",
            [],
            [([], self._age(row.due_since))],
        )

    def _logs(self, row: CountUnpackedLogsRow) -> Iterator[Metric]:
        yield _gauge(
            "howdah_logs_unpacked",
            "Logs of ended attempts that wait to be packed; 10001 means more than 10000.",
            [],
            [([], row.unpacked)],
        )
        yield _gauge(
            "howdah_logs_unpacked_age_seconds",
            "How long ago the attempt ended whose log waits longest.",
            [],
            [([], self._age(row.ended_since))],
        )

    def _age(self, since: datetime | None) -> float:
        return 0.0 if since is None else max(0.0, (self._now - since).total_seconds())


def _pressure(rows: Iterable[ReadDatabasePressureRow]) -> Iterator[Metric]:
    grouped: dict[str, list[tuple[list[str], float]]] = defaultdict(list)
    for row in rows:
        _, _, label = _PRESSURE[row.measure]
        grouped[row.measure].append(([row.subject] if label else [], row.amount))
    for measure, values in grouped.items():
        name, explanation, label = _PRESSURE[measure]
        yield _gauge(name, explanation, [label] if label else [], values)


def _gauge(name: str, explanation: str, labels: list[str], values: Iterable[tuple[list[str], float]]) -> Metric:
    family = GaugeMetricFamily(name, explanation, labels=labels)
    for subjects, value in values:
        family.add_metric(subjects, value)
    return family
