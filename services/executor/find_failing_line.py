"""The line of a failed step that most likely tells why it failed: a heuristic, told in docs/logs.md. Pure."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from msgspec.structs import replace

from services.executor.cut_chunks import Chunk
from services.executor.failing_rules import CONSEQUENCE, NOT_STARTED, RULES, TRACED, Rule
from services.executor.finish_jobs import FailingLine
from services.executor.join_lines import Line, join_lines
from shared.logs.find_level import Level, find_level

# Before these, an error is not looked for; the bytes that are kept of a step are bounded too.
_MOST_LINES: Final = 4000
_TEXT_BYTES: Final = 2000
# Exit codes of a shell for a command that it could not start.
_CANNOT_START: Final = (126, 127)
# Step and time in the output of docker build.
_FRAME: Final = re.compile(r"^#\d+ \d+\.\d+ ")


def find_failing_line(chunks: Sequence[Chunk], exit_code: int) -> FailingLine | None:
    """Return the failing line of a step that ended with this exit code, from its last chunks; None: it said nothing."""
    lines = _said(chunks)
    spoken = [line for line in lines if not (line.is_stderr and TRACED.match(line.text))]
    found = _find_by_rules(spoken, exit_code) or _find_by_level(spoken) or _find_last(spoken) or _find_last(lines)
    return None if found is None else FailingLine(found.number, _one_line(found.text))


def find_last_line(chunks: Sequence[Chunk]) -> FailingLine | None:
    """Return the last line of a step that took too long: errors before it did not end it."""
    lines = _said(chunks)
    return FailingLine(lines[-1].number, _one_line(lines[-1].text)) if lines else None


def _said(chunks: Sequence[Chunk]) -> list[Line]:
    """Return the lines that are not empty, without what frames them."""
    lines = join_lines(chunks, most_lines=_MOST_LINES)
    return [replace(line, text=_FRAME.sub("", line.text)) for line in lines if line.text]


def _find_by_rules(lines: Sequence[Line], exit_code: int) -> Line | None:
    text = "\n".join(line.text for line in lines) + "\n"
    starts = list(accumulate((len(line.text) + 1 for line in lines), initial=0))
    rules = (NOT_STARTED, *RULES) if exit_code in _CANNOT_START else (*RULES, NOT_STARTED)
    for rule in rules:
        at = _search(rule, text)
        if at is not None:
            return lines[bisect_right(starts, at) - 1]
    return None


def _search(rule: Rule, text: str) -> int | None:
    at = None
    for match in rule.pattern.finditer(text):
        at = match.start(match.lastindex or 0)
        if rule.pick == "first":
            break
    return at


def _find_by_level(lines: Sequence[Line]) -> Line | None:
    """Return the last line that is marked as fatal, else the first that is marked as an error."""
    errors = [(line, level) for line in lines if (level := find_level(line.text)) >= Level.ERROR]
    causes = [(line, level) for line, level in errors if not CONSEQUENCE.match(line.text)]
    fatal = [line for line, level in causes if level is Level.FATAL]
    return fatal[-1] if fatal else causes[0][0] if causes else None


def _find_last(lines: Sequence[Line]) -> Line | None:
    """Return the last line on stderr, else on stdout, and one that tells a cause rather than a consequence."""
    causes = [line for line in lines if not CONSEQUENCE.match(line.text)]
    for among in (causes, lines):
        said = [line for line in among if line.is_stderr] or among
        if said:
            return said[-1]
    return None


def _one_line(text: str) -> str:
    """Return the text without what is not printed, cut to what is stored of it."""
    clean = "".join(letter if letter.isprintable() else " " for letter in text).strip()
    encoded = clean.encode()
    if len(encoded) <= _TEXT_BYTES:
        return clean
    return encoded[: _TEXT_BYTES - len("…".encode())].decode(errors="ignore") + "…"
