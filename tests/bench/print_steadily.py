"""A program for jobs: print so many lines every few milliseconds, each with its number and the time.

`python3 - FOLDER LINES TICK_MS TICKS < print_steadily.py`: begins at the Unix time that the file FOLDER/go says, prints
LINES lines at each of TICKS ticks, and ends when there is FOLDER/leave. It imports nothing of this repository.

A line is `<number, 8 digits> <Unix time in ns, 20 digits> <padding>`, and 100 bytes long with its newline.
"""

import os
import pathlib
import sys
import time

_PADDING = ("the quick brown elephant carries a howdah over the lazy river and back again" * 2)[:69]


def await_file(path: pathlib.Path) -> str:
    """Return what a file says, once it is there."""
    while not path.exists():
        time.sleep(0.05)
    return path.read_text()


def main(folder: pathlib.Path, lines: int, tick_seconds: float, ticks: int) -> None:
    """Print; late ticks are caught up with."""
    # Programs do not print in step.
    start = float(await_file(folder / "go")) + os.getpid() % 10 * tick_seconds / 10
    number = 0
    for tick in range(ticks):
        wait = start + tick * tick_seconds - time.time()
        if wait > 0:
            time.sleep(wait)
        said = []
        for _ in range(lines):
            said.append(f"{number:08} {time.time_ns():020} {_PADDING}\n")
            number += 1
        sys.stdout.write("".join(said))
        sys.stdout.flush()
    await_file(folder / "leave")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]) / 1000, int(sys.argv[4]))
