"""A program for jobs: print 200,000 lines, 20 MB in all, as fast as they are taken.

`python3 - LINES < print_burst.py`. The first line is the time before the next is printed (Unix time in ns); whoever
makes the same lines elsewhere can compare. It imports nothing of this repository: a job has only its checkout.
"""

import sys
import time
import zlib

_LEVELS = ("INFO", "DEBUG", "INFO", "WARN", "INFO", "INFO", "DEBUG", "ERROR")
_PARTS = ("checkout", "compile", "resolver", "cache", "runner", "report", "upload")


def _make_ends() -> list[bytes]:
    ends = []
    for number in range(4001):
        check = zlib.crc32(b"%d" % number)
        ends.append(
            f" {_LEVELS[check % 8]:5} [{_PARTS[number % 7]}-{check % 23}] request took {check % 9973} us in "
            f"{check % 3} more, digest {check:08x}{check * 7919 % 2**32:08x} ok\n".encode()
        )
    return ends


def make_lines(count: int) -> list[bytes]:
    """Return so many lines of about 100 bytes, such as a program logs."""
    ends = _make_ends()
    milliseconds = [b".%03d" % number for number in range(1000)]
    lines: list[bytes] = []
    for second in range(-(-count // 1000)):
        clock = b"2026-11-25 %02d:%02d:%02d" % (second // 3600, second // 60 % 60, second % 60)
        first = second * 1000
        lines += [clock + after + ends[(first + number) % 4001] for number, after in enumerate(milliseconds)]
    return lines[:count]


def main(count: int) -> None:
    """Make all lines, then print them: 8 KiB at a time, as Python and the C library do into a pipe."""
    lines = make_lines(count)
    sys.stdout.buffer.write(b"%d\n" % time.time_ns())
    sys.stdout.buffer.writelines(lines)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
