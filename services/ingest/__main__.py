"""Ingest: the front door. Webhooks, API, streams, pages. Wiring only."""

import logging
import socket
import sys
from functools import partial
from typing import Final

import anyio

from services.ingest.config import IngestConfig
from services.ingest.create_app import create_app
from services.ingest.resources import Resources, gather_resources
from services.ingest.serve_http import bind_socket, serve_http
from shared.db import open_pool
from shared.listen import run_listener
from shared.loop import run_loop
from shared.run_service import read_config, run_service
from shared.schema_version import check_schema
from shared.stop import Stop, watch_signals

logger = logging.getLogger(__name__)

_NAME: Final = "howdah-ingest"


async def run_ingest(config: IngestConfig, bound: socket.socket, stop: Stop) -> None:
    """Serve until asked to stop. Raises `HowdahError` when it cannot even begin."""
    async with open_pool(
        config.database_url,
        name=_NAME,
        min_size=config.pool_min_size,
        max_size=max(config.pool_min_size, config.pool_max_size),
        prepare_statements=config.prepare_statements,
    ) as pool:
        resources = gather_resources(config, pool, stop)
        async with anyio.create_task_group() as tasks:
            await check_schema(pool, stop)
            tasks.start_soon(_listen, config, resources)
            for name, watch in (
                ("watch logs", resources.log_watch),
                ("watch logs of runs", resources.run_log_watch),
                ("watch jobs", resources.job_watch),
                ("watch horizon", resources.horizon_watch),
            ):
                tasks.start_soon(partial(run_loop, name, watch.look, bell=watch.bell, stop=stop))
            tasks.start_soon(resources.push_desk.run)
            tasks.start_soon(_end_streams, resources)
            logger.info("listening", extra={"address": config.listen_address, "port": bound.getsockname()[1]})
            app = resources.requests.measure(create_app(resources))
            await serve_http(app, bound, stop, trust_proxy=config.trust_proxy)
            tasks.cancel_scope.cancel()


async def _listen(config: IngestConfig, resources: Resources) -> None:
    # The end of a job makes no noise on log_appended; it is an event, though, and ends the job's stream.
    logs = [resources.log_watch.bell, resources.run_log_watch.bell, resources.horizon_watch.bell]
    jobs = resources.job_watch.bell
    bells = {"log_appended": logs, "event_recorded": [*logs, jobs], "job_finished": [jobs]}
    await run_listener(config.listen_url(), name=_NAME, bells=bells)


async def _end_streams(resources: Resources) -> None:
    await resources.stop.wait_requested()
    resources.log_watch.ring_all()
    resources.run_log_watch.ring_all()
    resources.job_watch.ring_all()
    resources.horizon_watch.ring_all()


async def _serve(config: IngestConfig) -> None:
    stop = Stop()
    with bind_socket(config.listen_address, config.listen_port) as bound:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch_signals, stop)
            await run_ingest(config, bound, stop)
            tasks.cancel_scope.cancel()


def main() -> int:
    """Run as a command; returns the exit status."""
    return run_service("ingest", read_config("ingest", IngestConfig), _serve)


if __name__ == "__main__":
    sys.exit(main())
