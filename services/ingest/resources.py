"""What the handlers of ingest share: opened once by `__main__`, found again through the application's state."""

from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import msgspec
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.params import SkipValidation

from services.ingest.accept_pushes import PushDesk
from services.ingest.check_token import TokenBook
from services.ingest.config import IngestConfig
from services.ingest.feed_all_logs import AllLogsFeed
from services.ingest.feed_logs import LogFeeds
from services.ingest.find_webhook_target import WebhookTargets
from services.ingest.job_catalog import JobCatalog
from services.ingest.limit_rejections import RejectionBudget
from services.ingest.measure_requests import RequestMeter
from services.ingest.search_desk import SearchDesk
from services.ingest.watch_horizon import HorizonWatch
from services.ingest.watch_jobs import JobWatch
from services.ingest.watch_logs import LogWatch
from services.ingest.watch_run_logs import RunLogWatch
from shared.db import Pool
from shared.sealing import Sealer, parse_keys
from shared.stop import Stop

_STATE_KEY: Final = "resources"


class Resources(msgspec.Struct, frozen=True):
    """Everything that a request may need."""

    config: IngestConfig
    pool: Pool
    sealer: Sealer
    tokens: TokenBook
    targets: WebhookTargets
    job_catalog: JobCatalog
    push_desk: PushDesk
    rejections: RejectionBudget
    log_feeds: LogFeeds
    all_logs_feed: AllLogsFeed
    log_watch: LogWatch
    run_log_watch: RunLogWatch
    job_watch: JobWatch
    horizon_watch: HorizonWatch
    requests: RequestMeter
    search_desk: SearchDesk
    stop: Stop


if TYPE_CHECKING:
    FromResources: TypeAlias = Resources
else:
    FromResources = NamedDependency[SkipValidation[Resources]]


def gather_resources(config: IngestConfig, pool: Pool, stop: Stop) -> Resources:
    """Make what the handlers share. Raises `ConfigurationError` for malformed sealing keys."""
    sealer = Sealer(parse_keys(config.sealing_keys))
    log_feeds = LogFeeds(pool)
    return Resources(
        config=config,
        pool=pool,
        sealer=sealer,
        tokens=TokenBook(pool),
        targets=WebhookTargets(pool, sealer),
        job_catalog=JobCatalog(pool),
        push_desk=PushDesk(pool, plan_timeout_seconds=config.plan_timeout_seconds),
        rejections=RejectionBudget(),
        log_feeds=log_feeds,
        all_logs_feed=AllLogsFeed(pool),
        log_watch=LogWatch(pool, log_feeds),
        run_log_watch=RunLogWatch(pool, log_feeds),
        job_watch=JobWatch(pool),
        horizon_watch=HorizonWatch(pool),
        requests=RequestMeter(),
        search_desk=SearchDesk(),
        stop=stop,
    )


def keep_in_state(resources: Resources) -> State:
    """Return the state of the application that serves with these resources."""
    return State({_STATE_KEY: resources})


def resources_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Resources:
    """Return the resources of the application that a request came to."""
    return cast("Resources", connection.app.state[_STATE_KEY])


def provide_resources(resources: Resources) -> Provide:
    """Return the dependency `resources` of the handlers."""
    return Provide(lambda: resources, sync_to_thread=False)
