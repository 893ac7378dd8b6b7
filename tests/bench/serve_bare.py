"""The reference of webhook throughput, a process of its own: Litestar, one handler, one INSERT, and nothing verified.

`python -m tests.bench.serve_bare PORT`, with HOWDAH_DATABASE_URL and BENCH_PIPELINE_ID in the environment. The very
function that serves ingest serves it, and its pool is as large.
"""

import os
import sys
from typing import Any, Final

import anyio
from litestar import Litestar, Request, post
from litestar.datastructures import State

from services.ingest.config import IngestConfig
from services.ingest.serve_http import bind_socket, serve_http
from shared.db import Pool, open_pool
from shared.ids import new_id
from shared.stop import Stop, watch_signals

_POOL_SIZE: Final = IngestConfig(database_url="", sealing_keys=[]).pool_max_size
_INSERT: Final = """
insert into bench_delivery (
    id, pipeline_id, source, event, forge_delivery_id, digest, outcome, reason, remote_address, body
)
values (%s, %s, 'generic', 'push', %s, %s, 'accepted', '', %s, %s)
"""


@post("/webhooks/{pipeline:str}", status_code=202)
async def insert_body(request: Request[Any, Any, Any], pipeline: str, state: State) -> dict[str, str]:
    """Insert the body as it came."""
    pool: Pool = state.pool
    delivery_id = new_id()
    body = await request.body()
    async with pool.connection() as connection:
        await connection.execute(
            _INSERT,
            [delivery_id, state.pipeline_id, request.headers.get("webhook-id"), os.urandom(32), "127.0.0.1", body],
        )
    return {"outcome": "accepted", "delivery_id": str(delivery_id)}


async def serve(port: int) -> None:
    """Serve until asked to stop."""
    stop = Stop()
    with bind_socket("127.0.0.1", port) as bound:
        async with (
            open_pool(os.environ["HOWDAH_DATABASE_URL"], name="bench-bare", max_size=_POOL_SIZE) as pool,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(watch_signals, stop)
            state = State({"pool": pool, "pipeline_id": os.environ["BENCH_PIPELINE_ID"]})
            await serve_http(
                Litestar([insert_body], state=state, openapi_config=None, logging_config=None), bound, stop
            )
            tasks.cancel_scope.cancel()


if __name__ == "__main__":
    anyio.run(serve, int(sys.argv[1]), backend_options={"use_uvloop": True})
