"""A program for jobs: print 200,000 lines, 20 MB in all, as fast as they are taken.

`python3 - LINES < print_burst.py`. The first line is the time before the next is printed (Unix time in ns); whoever
makes the same lines elsewhere can compare. It imports nothing of this repository: a job has only its checkout.
"""

import sys
import time
import zlib

_LEVELS = ("INFO", "DEBUG", "INFO", "WARN", "INFO", "INFO", "DEBUG", "ERROR")
_PARTS = ("checkout", "compile", "resolver", "cache", "runner", "report", "upload")


def make_line(number: int) -> bytes:
    """Return one line of about 100 bytes, such as a program logs."""
    check = zlib.crc32(b"%d" % number)
    return (
        f"12:{number // 3600 % 60:02}:{number // 60 % 60:02}.{number % 1000:03} {_LEVELS[check % 8]:5} "
        f"[{_PARTS[number % 7]}-{check % 23}] request {number} took {check % 9973} us in {check % 3} more, "
        f"digest {check:08x}{check * 7919 % 2**32:08x} ok\n"
    ).encode()


def main(count: int) -> None:
    """Make all lines, then print them: 8 KiB at a time, as Python and the C library do into a pipe."""
    lines = [make_line(number) for number in range(count)]
    sys.stdout.buffer.write(b"%d\n" % time.time_ns())
    sys.stdout.buffer.writelines(lines)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
