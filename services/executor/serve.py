"""The executor's wiring: what runs beside what, and in which order it ends."""

import logging
import os
import socket
from functools import partial
from pathlib import Path

import anyio
import msgspec
from anyio.abc import TaskGroup

from services.executor.append_logs import LogWriter
from services.executor.beat_executor import Membership, beat_executor
from services.executor.claim_jobs import JobClaim
from services.executor.end_processes import end_processes, find_marked
from services.executor.finish_jobs import Finisher
from services.executor.get_ready import get_ready
from services.executor.hold_jobs import PLAN_QUEUE, Custody, HeldJob, Holdings, Interruption
from services.executor.hold_state import HeldState, hold_state
from services.executor.keep_books import Books
from services.executor.load_definition import DefinitionLoader
from services.executor.queries.beat_executor import leave_executor
from services.executor.queries.register_executor import make_log_partitions
from services.executor.reap_processes import ReaperLink
from services.executor.repack_mirror import repack_mirrors
from services.executor.resolve_run_as import check_reachable, resolve_run_as
from services.executor.run_job import run_job
from services.executor.serve_handlers import HandlerConfig, HandlerSide, open_handlers, publish_catalog
from services.executor.surroundings import Surroundings
from services.executor.sweep_leftovers import sweep_leftovers
from services.executor.turn_over_jobs import LOOPS
from shared.config import PositiveInt, PositiveSeconds
from shared.db import Pool, open_pool, query
from shared.errors import DatabaseUnavailableError
from shared.listen import run_listener
from shared.loop import Bell, run_loop
from shared.schema_version import check_schema
from shared.sealing import Sealer, parse_keys
from shared.stop import Stop, watch_signals

logger = logging.getLogger(__name__)

_LEAVE_SECONDS = 15.0
_REAPER_GONE_STATUS = 70


class Config(HandlerConfig, frozen=True, kw_only=True):
    """Settings of the executor."""

    # `id:base64`, the current key first; to open the repositories' credentials.
    sealing_keys: list[str]
    name: str = socket.gethostname()
    # Mirrors and workspaces; several executors of one machine may share it.
    state_directory: Path = Path("/var/lib/howdah/executor")
    queues: list[str] = msgspec.field(default_factory=lambda: ["default"])
    labels: list[str] = []
    # Jobs at a time; plan jobs have slots of their own, so that planning never waits for builds.
    slots: PositiveInt = 2
    plan_slots: PositiveInt = 2
    # The user that commands run as, when the executor is started as root.
    run_as: str = ""
    # Between heartbeats; the schedulers' lease must be several times as long.
    beat_seconds: PositiveSeconds = 2.0
    # After the first SIGTERM: how long running jobs may go on before they are handed back.
    drain_seconds: PositiveSeconds = 300.0
    # Between SIGTERM and SIGKILL of a command.
    grace_seconds: PositiveSeconds = 10.0
    log_cap_bytes: PositiveInt = 100 * 1024 * 1024
    pool_size: PositiveInt = 4


async def serve(config: Config, link: ReaperLink) -> None:
    """Claim and run jobs until asked to stop; then finish or hand back what runs."""
    stop = Stop()
    sealer = Sealer(parse_keys(config.sealing_keys))
    run_as = resolve_run_as(config.run_as) if config.run_as else None
    state = hold_state(config.state_directory)
    if run_as is not None:
        check_reachable(state.workspaces, run_as)
    await _sweep(state)
    loader = DefinitionLoader()
    try:
        async with (
            open_pool(
                config.database_url,
                name="howdah-executor",
                # What turns jobs over keeps its own.
                max_size=config.pool_size + LOOPS,
                prepare_statements=config.prepare_statements,
            ) as pool,
            anyio.create_task_group() as background,
        ):
            background.start_soon(watch_signals, stop)
            background.start_soon(_leave_with_reaper, link, state)
            await check_schema(pool, stop)
            async with open_handlers(
                config, state=state, reaper_pid=link.reaper_pid, grace_seconds=config.grace_seconds
            ) as handlers:
                await get_ready(loader, handlers.processes, stop)
                membership = _membership(config, handlers)
                books = Books()
                holdings = Holdings(books, slots=config.slots, plan_slots=config.plan_slots)
                around = Surroundings(
                    state=state,
                    run_as=run_as,
                    reaper_pid=link.reaper_pid,
                    loader=loader,
                    sealer=sealer,
                    writer=LogWriter(pool),
                    finisher=Finisher(pool, membership),
                    holdings=holdings,
                    grace_seconds=config.grace_seconds,
                    log_cap_bytes=config.log_cap_bytes,
                )
                background.start_soon(around.writer.run)
                background.start_soon(around.finisher.run)
                custody = Custody(books, [holdings, handlers.holdings])
                await _work(
                    config,
                    pool,
                    membership=membership,
                    around=around,
                    handlers=handlers,
                    custody=custody,
                    stop=stop,
                    background=background,
                )
            background.cancel_scope.cancel()
    finally:
        await loader.aclose()
        state.release()
    logger.info("executor has stopped")


async def _work(
    config: Config,
    pool: Pool,
    *,
    membership: Membership,
    around: Surroundings,
    handlers: HandlerSide,
    custody: Custody,
    stop: Stop,
    background: TaskGroup,
) -> None:
    """Register, claim until asked to stop, drain, leave."""
    beat_bell, silent = Bell(), Stop()
    turnover = handlers.start(
        background,
        pool,
        membership=membership,
        queues=config.queues,
        labels=config.labels,
        books=custody.books,
        finisher=around.finisher,
        stop=silent,
    )
    background.start_soon(
        partial(
            run_listener,
            config.listen_url(),
            name="howdah-executor-listen",
            bells={
                "job_ready": [around.holdings.slot_freed, turnover],
                "handler_job_ready": [turnover],
                "job_cancel": [beat_bell],
            },
        )
    )
    async with anyio.create_task_group() as beats, anyio.create_task_group() as jobs:

        def start(held: HeldJob) -> None:
            jobs.start_soon(run_job, held, around)

        commands = JobClaim(
            pool,
            membership=membership,
            queues=[*config.queues, PLAN_QUEUE],
            labels=config.labels,
            holdings=around.holdings,
            start=start,
        )

        async def claim() -> float:
            return await commands.claim() if membership.registered else 1.0

        async def beat() -> float:
            registered = membership.registered
            if not registered:
                await publish_catalog(pool, handlers.catalog)
            seconds = await beat_executor(pool, membership, custody, config.beat_seconds)
            if membership.registered and not registered:
                around.holdings.slot_freed.ring()
                turnover.ring()
            return seconds

        # The heartbeat outlives the work.
        beats.start_soon(partial(run_loop, "beat", beat, bell=beat_bell, stop=silent))
        background.start_soon(partial(run_loop, "partitions", partial(_keep_partitions, pool), bell=Bell(), stop=stop))
        background.start_soon(
            partial(run_loop, "repack", partial(repack_mirrors, around.mirrors), bell=Bell(), stop=stop)
        )
        logger.info(
            "executor is running: %d slots for commands, %d for handlers, queues %s",
            config.slots,
            config.handler_slots,
            ", ".join(config.queues),
        )
        await run_loop("claim", claim, bell=around.holdings.slot_freed, stop=stop)
        membership.draining = True
        beat_bell.ring()
        # A claim that is under way is not held yet, and must not be left behind as running.
        with anyio.move_on_after(_LEAVE_SECONDS):
            await turnover.wait_answered()
        await _drain(config, custody, stop)
        jobs.cancel_scope.cancel()
        silent.request()
    if membership.registered:
        try:
            await query(pool, lambda connection: leave_executor(connection, executor_id=membership.executor_id))
        except DatabaseUnavailableError as error:
            logger.warning("could not say goodbye; the lease will run out: %s", error)


def _membership(config: Config, handlers: HandlerSide) -> Membership:
    return Membership(
        name=config.name,
        queues=[*config.queues, PLAN_QUEUE],
        labels=sorted(config.labels),
        slots=config.slots,
        plan_slots=config.plan_slots,
        handler_slots=config.handler_slots,
        job_types=[entry.job_type for entry in handlers.catalog],
    )


async def _drain(config: Config, custody: Custody, stop: Stop) -> None:
    """Wait for what runs; hand back what takes too long, or everything at the second signal."""
    if len(custody):
        logger.info("draining: %d jobs are running", len(custody))
    async with anyio.create_task_group() as waiting:

        async def end_when_empty() -> None:
            await custody.wait_until_empty()
            waiting.cancel_scope.cancel()

        async def end_when_urgent() -> None:
            await stop.wait_urgent()
            waiting.cancel_scope.cancel()

        waiting.start_soon(end_when_empty)
        waiting.start_soon(end_when_urgent)
        await anyio.sleep(config.drain_seconds)
        waiting.cancel_scope.cancel()
    if len(custody):
        logger.info("handing back %d jobs", len(custody))
        custody.interrupt_all(Interruption.LEAVING)
        with anyio.move_on_after(config.grace_seconds + _LEAVE_SECONDS):
            await custody.wait_until_empty()


async def _keep_partitions(pool: Pool) -> float:
    """Make the log partitions of the coming days: the scheduler does, but may have been away for long."""
    await query(pool, lambda connection: make_log_partitions(connection, days_ahead=2))
    return 3600.0


async def _sweep(state: HeldState) -> None:
    swept = await sweep_leftovers(state)
    if swept.processes or swept.workspaces or swept.problems:
        logger.warning(
            "removed what an earlier executor left",
            extra={"processes": swept.processes, "workspaces": swept.workspaces, "problems": swept.problems},
        )


async def _leave_with_reaper(link: ReaperLink, state: HeldState) -> None:
    """Without a reaper nobody would clean up after us: kill what we started, and go."""
    await link.wait_reaper_gone()
    logger.error("the reaper is gone: leaving at once")
    with anyio.CancelScope(shield=True):
        await end_processes(lambda: {entry for entry in find_marked(state.owns) if entry.pid != os.getpid()})
        os._exit(_REAPER_GONE_STATUS)
