"""A pipeline file whose jobs run one of the bench's own programs, given to Python on its standard input."""

from collections.abc import Iterable
from pathlib import Path

import msgspec


class Program(msgspec.Struct, frozen=True):
    """A file of this folder that imports the standard library alone, and what is said to it."""

    file: str
    arguments: tuple[str, ...] = ()

    def command(self) -> str:
        """Return the shell's command for it."""
        text = (Path(__file__).parent / self.file).read_text()
        return f"exec python3 - {' '.join(self.arguments)} <<'END'\n{text}END\n"


def write_pipeline(jobs: Iterable[tuple[str, Program]]) -> str:
    """Return the pipeline file of these jobs, by key."""
    text = "on: push\njobs:\n"
    for key, program in jobs:
        text += f"  {key}:\n    run: |\n"
        text += "".join(f"      {line}\n" if line else "\n" for line in program.command().splitlines())
    return text
