"""Programs that the jobs of the browser's tests run: what they print is what the pages must show."""

# 200,000 lines in two steps; the second has groups, a warning every 1,000 lines, one error, and fails.
BIG = """
import sys

def print_lines(first, end):
    lines = []
    for number in range(first, end):
        if number == 199_950:
            lines.append("ERROR: expected 3, got 4 in test_thing.py:88")
        elif number % 1000 == 500:
            lines.append(f"WARNING: line {number} is deprecated")
        elif number == 2000:
            lines.append("::group::first group")
        elif number in (2999, 199_960):
            lines.append("::endgroup::")
        elif number == 190_000:
            lines.append("::group::tests of the engine")
        else:
            lines.append(f"line {number} of the big job " + "wide " * (60 if number % 100 == 7 else 1))
    sys.stdout.write("\\n".join(lines) + "\\n")

if sys.argv[1] == "install":
    print_lines(0, 2000)
else:
    print_lines(2000, 200_000)
    sys.exit(1)
"""

# Each line would do harm, were it not text; the markers between them are looked for.
HOSTILE = """
import os, sys

out = sys.stdout.buffer
out.write(b"<script>document.title = 'taken over'</script><img src=x onerror=\\"document.title = 'taken over'\\">\\n")
out.write(b"\\x1b]8;;javascript:alert(1)\\x07a link of a terminal\\x1b]8;;\\x07\\n")
out.write(b"\\x1b]0;taken over\\x07\\x1b[2J\\x1b[31;1mred and bold\\x1b[0m plain\\n")
out.write(b"10 %\\r50 %\\rfinished\\n")
out.write("\\u202egnp.exe \\u2066 turned around\\n".encode())
out.write(b"not UTF-8: \\xff\\xfe, and a NUL: \\0.\\n")
out.write(b"{{ 7 * 7 }} ${7 * 7} &amp; &lt;b&gt;\\n")
out.write(b"A" * 1_000_000 + b"the end of a long line\\n")
out.write(bytes(range(256)).replace(b"\\n", b"") * 40 + b"\\n")
out.write(b"the last line\\n")
"""

PIPELINE = """
on: push
jobs:
  big:
    steps:
      - {name: install, run: python3 big.py install}
      - {name: suite, run: python3 big.py suite}
  hostile: {run: python3 hostile.py}
"""

# What is written into the pipe comes out of the job; `failed` ends it as failed, `done` well.
LIVE = """
on: push
jobs:
  live:
    steps:
      - {{name: first step, run: "echo it begins"}}
      - name: second step
        run: |
          while read -r line; do
            test "$line" = done && exit 0
            echo "$line"
          done < {pipe}
"""

LOST = """
on: push
jobs:
  lost:
    run: |
      echo "this is attempt $HOWDAH_ATTEMPT"
      test "$HOWDAH_ATTEMPT" = 1 && read -r line < {pipe}
      echo "the second attempt goes through"
"""
