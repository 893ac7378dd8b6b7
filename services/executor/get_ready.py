"""What an executor waits for before its first claim."""

import anyio

from services.executor.await_both import await_both
from services.executor.handler_pool import HandlerPool
from services.executor.load_definition import DefinitionLoader
from shared.stop import Stop


async def get_ready(loader: DefinitionLoader, processes: HandlerPool, stop: Stop) -> None:
    """Return once all that runs jobs has been started, or one of it could not be, or somebody asks us to stop.

    What starts beside jobs takes its time from them, and an executor that was ready could have had them. Raises
    `LoaderUnavailableError`.
    """
    async with anyio.create_task_group() as starting:

        async def cut_short() -> None:
            await stop.wait_requested()
            starting.cancel_scope.cancel()

        starting.start_soon(cut_short)
        await await_both(loader.warm, processes.wait_started)
        starting.cancel_scope.cancel()
