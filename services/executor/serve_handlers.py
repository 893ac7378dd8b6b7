"""The part of the executor that runs jobs of handlers: what runs beside what."""

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import anyio
import msgspec
from anyio.abc import TaskGroup

from services.executor.beat_executor import Membership
from services.executor.finish_jobs import Finisher
from services.executor.handler_pool import HandlerPool
from services.executor.hold_calls import CallHoldings
from services.executor.hold_state import HeldState
from services.executor.keep_books import Books
from services.executor.queries.publish_job_types import publish_job_types
from services.executor.record_progress import ProgressBook
from services.executor.resolve_run_as import resolve_run_as
from services.executor.turn_over_jobs import JobTurnover
from shared.config import PositiveInt, PositiveSeconds, ServiceConfig
from shared.db import Pool, query
from shared.jobs.describe_handlers import HandlerEntry
from shared.loop import run_loop
from shared.stop import Stop

_BUILT_IN: Final = "shared.jobs.builtin"
# Processes in which calls are run alone that may have killed another: an innocent one may take its time there.
_QUARANTINES: Final = 4
# What the built-in handlers read; a secret may be in a file.
_BUILT_IN_ENV: Final = (
    "HOWDAH_ALLOWED_NETWORKS", "HOWDAH_ALLOWED_NETWORKS_FILE", "HOWDAH_SMTP_URL", "HOWDAH_SMTP_URL_FILE",
    "HOWDAH_SMTP_FROM", "HOWDAH_SMTP_FROM_FILE", "SSL_CERT_FILE", "SSL_CERT_DIR", "TZ",
)  # fmt: skip


class HandlerConfig(ServiceConfig, frozen=True, kw_only=True):
    """Settings of what calls the handlers."""

    # Modules that define handlers, beside those that installed packages announce (entry points `howdah.handlers`).
    handler_modules: list[str] = []
    # Jobs of handlers at a time. A slot costs some KiB until its job runs; handlers that wait a lot want many.
    handler_slots: PositiveInt = 200
    handler_processes: PositiveInt = 1
    # What one handler process may take; beyond it, the process is ended, and who was to blame fails.
    handler_memory_bytes: PositiveInt = 512 * 1024 * 1024
    # The user that handlers run as, when the executor is started as root; must be able to read Python and the modules.
    # Empty: as the executor, for handlers are the operator's own code, unlike commands.
    run_handlers_as: str = ""
    # A handler process that gives no sign of life for so long is replaced.
    handler_stall_seconds: PositiveSeconds = 5.0
    # Variables of the executor's environment that handlers see too, beside those of the built-in ones.
    handler_env: list[str] = msgspec.field(default_factory=list)

    def environment_of_handlers(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the variables that handler processes get."""
        return {name: environ[name] for name in (*_BUILT_IN_ENV, *self.handler_env) if name in environ}


@asynccontextmanager
async def open_handlers(
    config: HandlerConfig,
    *,
    state: HeldState,
    reaper_pid: int | None,
    grace_seconds: float,
) -> AsyncIterator["HandlerSide"]:
    """Keep handler processes, and say what handlers there are. Raises `HandlersUnavailableError`."""
    side = HandlerSide(config, state=state, reaper_pid=reaper_pid, grace_seconds=grace_seconds)
    try:
        await side.processes.start()
        async with anyio.create_task_group() as running:
            running.start_soon(side.processes.run)
            yield side
            running.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            await side.processes.aclose()


class HandlerSide:
    """The handler processes, and the jobs that are held for them."""

    def __init__(
        self,
        config: HandlerConfig,
        *,
        state: HeldState,
        reaper_pid: int | None,
        grace_seconds: float,
    ) -> None:
        self._turnover: JobTurnover | None = None
        self._progress: ProgressBook | None = None
        self.processes = HandlerPool(
            processes=config.handler_processes,
            modules=[_BUILT_IN, *config.handler_modules],
            memory_bytes=config.handler_memory_bytes,
            grace_seconds=grace_seconds,
            stall_seconds=config.handler_stall_seconds,
            on_ends=lambda ends: self._turnover.take_ends(ends) if self._turnover else None,
            on_succeeded=lambda keys: self._turnover.take_successes(keys) if self._turnover else None,
            on_progress=lambda notes: self._progress.take(notes) if self._progress else None,
            env=config.environment_of_handlers(os.environ),
            concurrency=max(1, -(-config.handler_slots // config.handler_processes)),
            quarantines=_QUARANTINES,
            run_as=resolve_run_as(config.run_handlers_as) if config.run_handlers_as else None,
            mark=state.mark,
            reaper_pid=reaper_pid,
            log_level=config.log_level,
        )
        self.holdings = CallHoldings(slots=config.handler_slots, interrupt_calls=self.processes.interrupt)

    @property
    def catalog(self) -> Sequence[HandlerEntry]:
        """What handlers there are."""
        return self.processes.catalog

    def start(
        self,
        tasks: TaskGroup,
        pool: Pool,
        *,
        membership: Membership,
        queues: list[str],
        labels: list[str],
        books: Books,
        finisher: Finisher,
        stop: Stop,
    ) -> JobTurnover:
        """Claim and write down in `tasks`, until `stop`."""
        turnover = JobTurnover(
            pool,
            membership=membership,
            queues=queues,
            labels=labels,
            job_types=[entry.job_type for entry in self.catalog],
            holdings=self.holdings,
            books=books,
            finisher=finisher,
            processes=self.processes,
        )
        progress = ProgressBook(pool, self.holdings)
        self._turnover, self._progress = turnover, progress
        tasks.start_soon(turnover.run, stop)
        tasks.start_soon(partial(run_loop, "progress", progress.record, bell=progress.bell, stop=stop))
        return turnover


async def publish_catalog(pool: Pool, catalog: Sequence[HandlerEntry]) -> None:
    """Tell everybody what the handlers of this executor take and give. Raises `DatabaseUnavailableError`."""
    await query(
        pool,
        lambda connection: publish_job_types(
            connection,
            names=[entry.job_type for entry in catalog],
            descriptions=[entry.summary for entry in catalog],
            payload_schemas=[entry.payload_schema for entry in catalog],
            result_schemas=[entry.result_schema for entry in catalog],
            max_attempts=[entry.max_attempts for entry in catalog],
            timeouts_seconds=[entry.timeout_seconds for entry in catalog],
            retries=[entry.retry for entry in catalog],
            batch_sizes=[entry.batch_size for entry in catalog],
        ),
    )
