"""What is wrong with a pipeline file, and where."""

from typing import NoReturn

import msgspec

from shared.errors import HowdahError
from shared.pipeline.limits import MAX_PROBLEMS

_SHOWN_CHARACTERS = 60


class Mark(msgspec.Struct, frozen=True):
    """A place in the file; line and column count from 1, columns in characters."""

    line: int
    column: int


START = Mark(1, 1)


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong: where, in which value (`jobs.test.needs[1]`), what, and what to do."""

    line: int
    column: int
    path: str
    message: str
    hint: str | None = None

    def render(self, filename: str) -> str:
        """Return `file:line:column: path: message; hint`, the form that editors and compilers share."""
        where = f"{filename}:{self.line}:{self.column}: "
        path = f"{self.path}: " if self.path else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{where}{path}{self.message}{hint}"


class PipelineFileError(HowdahError):
    """The pipeline file cannot be used; the message lists every problem found, in the order of the file."""

    def __init__(self, filename: str, problems: tuple[Problem, ...]) -> None:
        super().__init__(filename, problems)
        self.filename = filename
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(problem.render(self.filename) for problem in self.problems)


class StopReading(Exception):  # noqa: N818 - not an error of its own: the problem is on the list already
    """The rest of the file cannot be read, or is not worth reading."""


class ProblemList:
    """Collects the problems of one file, up to a limit."""

    def __init__(self) -> None:
        self._problems: list[Problem] = []

    def __bool__(self) -> bool:
        return bool(self._problems)

    def add(self, mark: Mark, path: str, message: str, hint: str | None = None) -> None:
        """Record a problem. Raises `StopReading` when there are too many to be of use."""
        self._problems.append(Problem(mark.line, mark.column, path, message, hint))
        if len(self._problems) == MAX_PROBLEMS:
            raise StopReading

    def stop(self, mark: Mark, path: str, message: str, hint: str | None = None) -> NoReturn:
        """Record a problem that nothing after it can be read past, and raise `StopReading`."""
        self.add(mark, path, message, hint)
        raise StopReading

    def sorted(self) -> tuple[Problem, ...]:
        """Return the problems in the order of the file, with a last one that says so if some are left out."""
        ordered = sorted(self._problems, key=lambda problem: (problem.line, problem.column))
        if len(ordered) >= MAX_PROBLEMS:
            last = ordered[-1]
            left_out = f"{MAX_PROBLEMS} problems are listed; there may be more"
            ordered.append(Problem(last.line, last.column, "", left_out))
        return tuple(ordered)


def show_text(text: str) -> str:
    """Return text of the file as one short printable line, fit for messages, logs and terminals."""
    shown = text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in shown)


def join_path(path: str, key: str) -> str:
    """Return the path of the value under `key` within the mapping at `path`."""
    return f"{path}.{show_text(key)}" if path else show_text(key)
