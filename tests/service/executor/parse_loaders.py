"""Loaders for the parse child that behave as badly as a file might make them."""

import os
import subprocess
from typing import NoReturn

from shared.pipeline.definition import Pipeline
from shared.pipeline.load import load_pipeline


def load_badly(source: bytes, *, filename: str) -> Pipeline:
    """Do what the source says, or load it."""
    word = source.decode(errors="replace").split(":")[0]
    if word in _DEEDS:
        _DEEDS[word]()
    return load_pipeline(source, filename=filename)


def _hang() -> None:
    while True:
        pass


def _exit() -> NoReturn:
    os._exit(3)


def _fill_memory() -> None:
    bytearray(2 * 1024 * 1024 * 1024)


def _raise() -> None:
    raise LookupError("a bug")


def _print() -> None:
    print("noise between the frames", flush=True)  # noqa: T201


def _write_file() -> None:
    os.write(os.memfd_create("a file that leaves nothing"), b"x")


def _start_process() -> None:
    subprocess.run(["true"], check=True)


def _show_environment() -> None:
    raise LookupError(" ".join(sorted(os.environ)))


_DEEDS = {
    "hang": _hang,
    "exit": _exit,
    "fill-memory": _fill_memory,
    "raise": _raise,
    "print": _print,
    "write-file": _write_file,
    "start-process": _start_process,
    "show-environment": _show_environment,
}
