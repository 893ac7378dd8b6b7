"""A program for jobs: print the time (Unix time in ns) now and then. `python3 - COUNT < print_times.py`."""

import random
import sys
import time


def main(count: int) -> None:
    """Print; whoever watches has caught up before the next line."""
    time.sleep(1)
    for _ in range(count):
        sys.stdout.write(f"{time.time_ns()}\n")
        sys.stdout.flush()
        time.sleep(random.uniform(0.15, 0.3))


if __name__ == "__main__":
    main(int(sys.argv[1]))
