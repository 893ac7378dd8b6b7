"""Handlers whose first process starts at once; the next one that imports them says so, and never gets further."""

import os
from pathlib import Path

from shared.jobs import JobContext, handler

_folder = Path(os.environ["SLOW_START_FOLDER"])
try:
    (_folder / "first").touch(exist_ok=False)
except FileExistsError:
    (_folder / "second").touch()
    (_folder / "fifo").read_bytes()


@handler("slow_to_start")
async def slow_to_start(payload: None, context: JobContext) -> None:
    """Do nothing."""
