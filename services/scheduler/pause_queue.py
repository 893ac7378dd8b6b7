"""Pausing a queue, of which nothing is claimed then, and resuming it."""

from services.scheduler.queries.pause_queue import pause_queue as mark_paused
from services.scheduler.queries.pause_queue import resume_queue as mark_resumed
from shared.db import Connection


async def pause_queue(connection: Connection, queue: str, *, paused_by: str, why: str) -> str:
    """Pause a queue; returns what came of it. Jobs of it that run go on."""
    paused = await mark_paused(connection, queue=queue, paused_by=paused_by, why=why)
    return f"paused the queue {queue}" if paused else f"nothing to pause: the queue {queue} is paused already"


async def resume_queue(connection: Connection, queue: str) -> str:
    """Have jobs of a queue claimed again; returns what came of it."""
    resumed = await mark_resumed(connection, queue=queue)
    return f"resumed the queue {queue}" if resumed else f"nothing to resume: the queue {queue} is not paused"
