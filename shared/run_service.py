"""What every service's process does around its own work: settings, logs, event loop, exit status."""

import gc
import logging
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from shared.config import ServiceConfig, load_config
from shared.errors import ConfigurationError, HowdahError
from shared.logging import configure_logging

Config = TypeVar("Config", bound=ServiceConfig)

logger = logging.getLogger(__name__)


def read_config(name: str, config_type: type[Config]) -> Config:
    """Read the settings and set up logging; bad settings end the process with status 2, and say so plainly."""
    try:
        config = load_config(config_type)
    except ConfigurationError as error:
        print(f"{name}: {error}", file=sys.stderr)  # noqa: T201 - logging is not set up yet
        sys.exit(2)
    configure_logging(name, config.log_level)
    return config


def run_service(name: str, config: Config, serve: Callable[[Config], Awaitable[None]]) -> int:
    """Run `serve` to its end; returns the exit status. What escapes is logged once."""
    status = 0
    # What has been imported stays: to look through all of it again would hold the loop up for tens of milliseconds.
    gc.collect()
    gc.freeze()
    try:
        anyio.run(serve, config, backend_options={"use_uvloop": True})
    except* HowdahError as group:
        for error in _leaves(group):
            logger.error("%s cannot run: %s", name, error)  # noqa: TRY400 - expected: no traceback
        status = 1
    except* Exception:
        logger.exception("%s has failed", name)
        status = 1
    return status


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for nested in error.exceptions for leaf in _leaves(nested)]
    return [error]
