"""Handlers may fork. What they fork must neither speak for this process nor go on with its other calls."""

import os
from collections.abc import Callable
from typing import NoReturn


class ForkFlag:
    """Whether this process is a handler process, or something that one has forked."""

    __slots__ = ("is_set",)

    def __init__(self) -> None:
        self.is_set = False


# Looked at wherever a handler's code gives control back to ours: a forked child ends there.
forked = ForkFlag()


def watch_forks(let_go: Callable[[], None]) -> None:
    """Have ``let_go`` called in every forked child, first thing. For the life of the process."""

    def note() -> None:
        forked.is_set = True
        let_go()

    os.register_at_fork(after_in_child=note)


def leave_forked() -> NoReturn:
    """End a forked child where it would go on as if it were its parent. Its buffers are its parent's, too."""
    os._exit(0)
