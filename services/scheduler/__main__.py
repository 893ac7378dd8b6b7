"""The scheduler: `python -m services.scheduler`. Any number of replicas; each runs every duty, and locks decide."""

import logging
import sys
from functools import partial

import anyio

from services.scheduler.apply_commands import apply_commands
from services.scheduler.apply_job_filters import apply_job_filters
from services.scheduler.config import Config
from services.scheduler.fire_schedules import fire_schedules
from services.scheduler.fold_job_counts import FoldWalk, fold_job_counts
from services.scheduler.keep_partitions import keep_partitions
from services.scheduler.pack_logs import pack_logs
from services.scheduler.plan_run import plan_runs
from services.scheduler.promote_jobs import promote_jobs
from services.scheduler.release_jobs import release_jobs
from services.scheduler.release_limited_jobs import release_limited_jobs
from services.scheduler.removal_place import RemovalPlace
from services.scheduler.remove_chunks import remove_chunks
from services.scheduler.remove_expired import remove_expired
from services.scheduler.remove_logs import remove_logs
from services.scheduler.rescue_jobs import BeatWatch, rescue_jobs
from shared.db import open_pool
from shared.listen import run_listener
from shared.loop import Bell, Step, run_loop
from shared.run_service import read_config, run_service
from shared.schema_version import check_schema
from shared.stop import Stop, watch_signals

logger = logging.getLogger(__name__)


async def serve(config: Config) -> None:
    """Run every duty until asked to stop."""
    stop = Stop()
    async with (
        open_pool(
            config.database_url,
            name="howdah-scheduler",
            max_size=config.pool_size,
            prepare_statements=config.prepare_statements,
        ) as pool,
        anyio.create_task_group() as background,
    ):
        background.start_soon(watch_signals, stop)
        await check_schema(pool, stop)
        duties: dict[str, tuple[Step, tuple[str, ...]]] = {
            "plan": (partial(plan_runs, pool), ("job_finished",)),
            "release": (partial(release_jobs, pool), ("job_finished",)),
            "promote": (partial(promote_jobs, pool), ("job_finished", "job_waiting")),
            "release limited": (partial(release_limited_jobs, pool), ("job_finished", "job_waiting")),
            "rescue": (partial(rescue_jobs, pool, BeatWatch(config.lease_seconds)), ()),
            "apply": (
                partial(apply_commands, pool, config.plan_timeout_seconds, config.max_redrives),
                ("command_given",),
            ),
            "apply filters": (partial(apply_job_filters, pool, config.max_redrives), ("command_given",)),
            "schedules": (partial(fire_schedules, pool), ()),
            "fold": (partial(fold_job_counts, pool, FoldWalk()), ()),
            "remove": (partial(remove_expired, pool, config.retention()), ()),
            "pack logs": (partial(pack_logs, pool), ("job_finished",)),
            "remove chunks": (partial(remove_chunks, pool, config.keep_packed_chunks_seconds, RemovalPlace()), ()),
            "remove logs": (partial(remove_logs, pool, RemovalPlace()), ()),
            "partitions": (partial(keep_partitions, pool, config.log_retention()), ()),
        }
        bells: dict[str, list[Bell]] = {}
        async with anyio.create_task_group() as loops:
            for name, (step, channels) in duties.items():
                bell = Bell()
                for channel in channels:
                    bells.setdefault(channel, []).append(bell)
                loops.start_soon(partial(run_loop, name, step, bell=bell, stop=stop))
            background.start_soon(
                partial(run_listener, config.listen_url(), name="howdah-scheduler-listen", bells=bells)
            )
            logger.info("scheduler is running")
        background.cancel_scope.cancel()
    logger.info("scheduler has stopped")


if __name__ == "__main__":
    sys.exit(run_service("scheduler", read_config("scheduler", Config), serve))
