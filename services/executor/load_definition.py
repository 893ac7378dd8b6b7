"""Load pipeline files in a child process: kept warm, short of time and memory, with nothing to lose."""

import logging
import os
import select
import sys
from pathlib import Path

import anyio
import msgspec

from services.executor.parse_frames import (
    FRAME_LIMIT,
    LENGTH_BYTES,
    Failed,
    Loaded,
    ParseRequest,
    Ready,
    Refused,
    Reply,
    frame,
)
from services.executor.spawn_process import SpawnedProcess, spawn_process
from shared.errors import HowdahError
from shared.pipeline.definition import Pipeline

_LOADER = "shared.pipeline.load:load_pipeline"
_IMPORT_ROOT = Path(__file__).resolve().parents[2]
_ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
_START_SECONDS = 30.0

_log = logging.getLogger(__name__)


class LoaderUnavailableError(HowdahError):
    """The loader's process does not start: an installation is broken, not a pipeline file."""


class _ChildEndedError(Exception):
    pass


class DefinitionLoader:
    """One warm child, used by one request at a time; a new one after each failure. Close it with `aclose`."""

    def __init__(self, *, loader: str = _LOADER, timeout_seconds: float = 5.0) -> None:
        self._loader = loader
        self._timeout_seconds = timeout_seconds
        self._lock = anyio.Lock()
        self._child: SpawnedProcess | None = None

    async def warm(self) -> None:
        """Start the child, so that the first plan does not wait for imports. Raises LoaderUnavailableError."""
        async with self._lock:
            await self._ready_child()

    async def load(self, source: bytes, *, filename: str) -> Pipeline | Refused:
        """Return what the file defines, or why it is refused: invalid, or too much for the child.

        Raises LoaderUnavailableError.
        """
        request = msgspec.json.encode(ParseRequest(source=source, filename=filename))
        reply: Reply | None = None
        async with self._lock:
            child = await self._ready_child()
            try:
                with anyio.move_on_after(self._timeout_seconds):
                    await _write(child, frame(request))
                    reply = await _read_reply(child)
            except _ChildEndedError:
                reply = Failed("its process was ended")
            finally:
                if not isinstance(reply, Loaded | Refused):
                    await self._end_child()
        match reply:
            case Loaded(pipeline=pipeline):
                return msgspec.json.decode(pipeline, type=Pipeline)
            case Refused():
                return reply
            case None:
                return Refused(f"{filename}: reading this file takes longer than {self._timeout_seconds:g} s")
            case Failed(detail=detail):
                _log.error("the loader failed", extra={"detail": detail, "pipeline_file": filename})
                return Refused(f"{filename}: this file cannot be read: {detail}")
            case Ready():
                raise LoaderUnavailableError("the loader of pipeline files is out of step")

    async def aclose(self) -> None:
        """End the child."""
        await self._end_child()

    async def _ready_child(self) -> SpawnedProcess:
        if self._child is not None and _has_ended(self._child):
            await self._end_child()
        if self._child is None:
            argv = [sys.executable, "-E", "-s", "-m", "services.executor.parse_child", self._loader]
            self._child = spawn_process(argv, cwd=_IMPORT_ROOT, env=_ENV, with_stdin=True, with_stderr=False)
            reply: Reply | None = None
            try:
                with anyio.move_on_after(_START_SECONDS):
                    reply = await _read_reply(self._child)
            except _ChildEndedError as error:
                raise LoaderUnavailableError("the loader of pipeline files does not start") from error
            finally:
                if not isinstance(reply, Ready):
                    await self._end_child()
        if self._child is None:
            raise LoaderUnavailableError(f"the loader of pipeline files is not ready after {_START_SECONDS:g} s")
        return self._child

    async def _end_child(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            await child.release()


def _has_ended(child: SpawnedProcess) -> bool:
    poll = select.poll()
    poll.register(child.pidfd, select.POLLIN)
    return bool(poll.poll(0))


async def _write(child: SpawnedProcess, data: bytes) -> None:
    rest = memoryview(data)
    while rest and child.stdin is not None:
        try:
            rest = rest[os.write(child.stdin, rest) :]
        except BlockingIOError:
            await anyio.wait_writable(child.stdin)
        except BrokenPipeError:
            raise _ChildEndedError from None


async def _read_reply(child: SpawnedProcess) -> Reply:
    length = int.from_bytes(await _read_exactly(child, LENGTH_BYTES), "big")
    if length > FRAME_LIMIT:
        raise _ChildEndedError
    payload = await _read_exactly(child, length)
    return msgspec.json.decode(payload, type=Ready | Loaded | Refused | Failed)


async def _read_exactly(child: SpawnedProcess, count: int) -> bytes:
    (fd,) = child.outputs
    data = bytearray()
    while len(data) < count:
        try:
            piece = os.read(fd, min(count - len(data), 1024 * 1024))
        except BlockingIOError:
            await anyio.wait_readable(fd)
            continue
        if not piece:
            raise _ChildEndedError
        data += piece
    return bytes(data)
