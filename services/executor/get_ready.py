"""What an executor waits for before its first claim."""

import logging
from typing import Final

import anyio

from services.executor.await_both import await_both
from services.executor.handler_pool import HandlerPool
from services.executor.load_definition import DefinitionLoader
from shared.stop import Stop

logger = logging.getLogger(__name__)

# For handler processes: one that takes longer must not keep the executor from what it can do already.
_MOST_SECONDS: Final = 10.0


async def get_ready(
    loader: DefinitionLoader, processes: HandlerPool, stop: Stop, *, most_seconds: float = _MOST_SECONDS
) -> None:
    """Return once all that runs jobs has been started, as far as it can be, or somebody asks us to stop.

    What starts beside jobs takes its time from them, and an executor that was ready could have had them. Handler
    processes are waited for ``most_seconds``. Raises `LoaderUnavailableError`.
    """

    async def wait_patiently() -> None:
        with anyio.move_on_after(most_seconds) as patience:
            await processes.wait_started()
        if patience.cancelled_caught:
            logger.warning("not all handler processes are ready after %.0f s; claiming all the same", most_seconds)

    try:
        async with anyio.create_task_group() as starting:

            async def cut_short() -> None:
                await stop.wait_requested()
                starting.cancel_scope.cancel()

            starting.start_soon(cut_short)
            await await_both(loader.warm, wait_patiently)
            starting.cancel_scope.cancel()
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
