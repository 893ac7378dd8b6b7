"""The notifier: tells channels what happened, until each message is delivered or dead. Wiring only."""

import logging
import os
import sys
from functools import partial

import anyio

from services.notifier.config import NotifierConfig
from services.notifier.deliver_notification import Means
from services.notifier.guard_address import parse_networks
from services.notifier.resolve_target import HostLookup
from services.notifier.run_notifier import run_notifier
from shared.config import load_config
from shared.db import open_pool
from shared.errors import HowdahError
from shared.listen import run_listener
from shared.logging import configure_logging
from shared.loop import Bell
from shared.schema_version import check_schema
from shared.sealing import Sealer, parse_keys
from shared.stop import Stop, watch_signals

logger = logging.getLogger(__name__)

_NAME = "howdah-notifier"
# Deliveries hold no connection while they wait for their target; results are written in batches.
_CONNECTIONS = 2


async def _run(config: NotifierConfig) -> None:
    config.page_url("")
    stop = Stop()
    bell = Bell()
    means = Means(
        sealer=Sealer(parse_keys(config.sealing_keys)),
        page_url=config.page_url,
        allowed=parse_networks(config.allowed_networks),
        lookup=HostLookup(),
        timeout_seconds=config.notification_timeout_seconds,
        max_tries=config.notification_tries,
    )
    async with (
        open_pool(
            config.database_url,
            name=_NAME,
            max_size=_CONNECTIONS,
            prepare_statements=config.prepare_statements,
        ) as pool,
        anyio.create_task_group() as background,
    ):
        background.start_soon(watch_signals, stop)
        await check_schema(pool, stop)
        background.start_soon(
            partial(run_listener, config.listen_url(), name=_NAME, bells={"notification_due": [bell]})
        )
        await run_notifier(pool, limits=config.limits(), means=means, bell=bell, stop=stop)
        background.cancel_scope.cancel()


def main() -> int:
    """Run until a signal asks to stop; returns the exit status."""
    configure_logging("notifier", "info")
    status = 0
    try:
        config = load_config(NotifierConfig)
        configure_logging("notifier", config.log_level)
        anyio.run(_run, config)
    except* HowdahError as group:
        for error in group.exceptions:
            logger.error("%s", error)  # noqa: TRY400 - expected, and said in full by its message
        status = 1
    return status


if __name__ == "__main__":
    exit_status = main()
    sys.stderr.flush()
    # Not sys.exit: that would wait for a lookup that hangs in the resolver's thread.
    os._exit(exit_status)
