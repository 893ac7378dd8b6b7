"""The notifier: `python -m services.notifier`. Tells channels what happened, until delivered or dead."""

import os
import sys
from functools import partial

import anyio

from services.notifier.config import NotifierConfig
from services.notifier.deliver_notification import Means
from services.notifier.run_notifier import run_notifier
from shared.db import open_pool
from shared.listen import run_listener
from shared.loop import Bell
from shared.outgoing.guard_address import parse_networks
from shared.outgoing.resolve_target import HostLookup
from shared.run_service import read_config, run_service
from shared.schema_version import check_schema
from shared.sealing import Sealer, parse_keys
from shared.stop import Stop, watch_signals

# Deliveries hold no connection while they wait for their target, and results are written in batches.
_CONNECTIONS = 2


async def serve(config: NotifierConfig) -> None:
    """Deliver until asked to stop."""
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
            name="howdah-notifier",
            max_size=_CONNECTIONS,
            prepare_statements=config.prepare_statements,
        ) as pool,
        anyio.create_task_group() as background,
    ):
        background.start_soon(watch_signals, stop)
        await check_schema(pool, stop)
        background.start_soon(
            partial(
                run_listener,
                config.listen_url(),
                name="howdah-notifier-listen",
                bells={"notification_due": [bell]},
            )
        )
        await run_notifier(pool, limits=config.limits(), means=means, bell=bell, stop=stop)
        background.cancel_scope.cancel()


def main() -> int:
    """Run as a process; returns its exit status."""
    return run_service("notifier", read_config("notifier", NotifierConfig), serve)


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    # Not sys.exit: that would wait for a lookup that hangs in the resolver's thread.
    os._exit(status)
