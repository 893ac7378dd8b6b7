"""Find and import the modules in which handlers are defined."""

import importlib
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from shared.errors import HowdahError
from shared.jobs.define_handler import Handler, defined_handlers

# Packages announce their handlers with an entry point of this group: a module, or an object in one.
ENTRY_POINT_GROUP: Final = "howdah.handlers"


class HandlersUnavailableError(HowdahError):
    """Handlers cannot be imported or made; the message names every module that failed, and the cause."""


def load_handlers(modules: Sequence[str], *, entry_points: bool = True) -> Mapping[str, Handler]:
    """Import the modules, and with ``entry_points`` what installed packages announce; return all handlers by type.

    Raises HandlersUnavailableError.
    """
    problems: list[str] = []
    for name in modules:
        _load(f"the module {name!r}", lambda name=name: importlib.import_module(name), problems)  # type: ignore[misc]
    if entry_points:
        from importlib.metadata import entry_points as installed  # noqa: PLC0415 - takes 20 ms to import

        for point in sorted(installed(group=ENTRY_POINT_GROUP), key=lambda point: (point.name, point.value)):
            _load(f"the entry point {point.name!r} ({point.value})", point.load, problems)
    if problems:
        raise HandlersUnavailableError("handlers cannot be loaded:\n" + "\n".join(problems))
    return dict(defined_handlers)


def _load(what: str, load: Callable[[], object], problems: list[str]) -> None:
    try:
        load()
    # SystemExit too: a script that was named by mistake must be reported, not obeyed.
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it is, it is told with all the others
        problems.append(f"  {what}: {type(error).__name__}: {error}{_place_of(error)}")


def _place_of(error: BaseException) -> str:
    """Return the file and line that the import stopped at, if it got as far as into a file."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith("<") and frame.filename not in {__file__, importlib.__file__}:
            return f" ({frame.filename}:{frame.lineno})"
    return ""
