"""The process that loads pipeline files: strangers write them, so a file may at worst take this process down.

``python -m services.executor.parse_child package.module:function``, started by `load_definition` with an
empty environment. Reads requests from standard input, writes replies to standard output, ends with its input.
"""

import importlib
import os
import resource
import sys
from collections.abc import Callable
from typing import BinaryIO

import msgspec

from services.executor.parse_frames import (
    LENGTH_BYTES,
    Failed,
    Loaded,
    ParseRequest,
    Ready,
    Refused,
    Reply,
    frame,
)
from shared.pipeline.problem import PipelineFileError

_MEMORY_BYTES = 512 * 1024 * 1024
# The parent's patience is in wall-clock time; this ends a child whose parent is gone.
_CPU_SECONDS = 10


def serve(loader: str, requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer requests until there are no more."""
    _limit_memory()
    module, _, function = loader.partition(":")
    load: Callable[..., msgspec.Struct] = getattr(importlib.import_module(module), function)
    _limit_files()
    _reply(replies, Ready())
    while length := requests.read(LENGTH_BYTES):
        request = msgspec.json.decode(requests.read(int.from_bytes(length, "big")), type=ParseRequest)
        _allow_cpu()
        _reply(replies, _answer(load, request))


def _answer(load: Callable[..., msgspec.Struct], request: ParseRequest) -> Reply:
    try:
        pipeline = load(request.source, filename=request.filename)
    except PipelineFileError as error:
        return Refused(str(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent must hear of it
        return Failed(f"{type(error).__name__}: {error}"[:500])
    return Loaded(msgspec.Raw(msgspec.json.encode(pipeline)))


def _reply(replies: BinaryIO, reply: Reply) -> None:
    replies.write(frame(msgspec.json.encode(reply)))
    replies.flush()


def _limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit_files() -> None:
    """After the imports, which may write byte code: no files written, few opened, no processes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


def _allow_cpu() -> None:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(usage.ru_utime + usage.ru_stime) + _CPU_SECONDS, hard))


if __name__ == "__main__":
    # What the loader might print must not get between the frames.
    with os.fdopen(os.dup(1), "wb") as channel:
        os.dup2(2, 1)
        serve(sys.argv[1], sys.stdin.buffer, channel)
