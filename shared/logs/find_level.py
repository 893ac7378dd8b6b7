"""How grave a line is, where the program that printed it says so. Pure.

Read are marks, and never words within a sentence: `ERROR: no such file` is an error, `0 errors found` is none. Marks
are fields of JSON and of logfmt, the prefixes that compilers, package tools and loggers write (in front, in brackets,
behind a time, a place or a program's name), the letters of glog, and the commands of GitHub Actions and Azure
Pipelines. Only the beginning of a line is looked at.
"""

import re
from enum import IntEnum
from typing import Final


class Level(IntEnum):
    """How grave a line is; a graver one is greater."""

    UNMARKED = 0
    TRACE = 1
    DEBUG = 2
    INFO = 3
    WARNING = 4
    ERROR = 5
    FATAL = 6


_LOOKED_AT: Final = 1024
# Fields of JSON may come late.
_FIELD_LOOKED_AT: Final = 16 * 1024
_MOST_PARTS: Final = 8

_NAMES: Final = {
    Level.TRACE: "trace trc verbose finest finer t",
    Level.DEBUG: "debug dbg fine d",
    Level.INFO: "info inf information informational notice note log i",
    Level.WARNING: "warn warning wrn w",
    Level.ERROR: "error err err! severe e ***",
    Level.FATAL: "fatal ftl critical crit panic dpanic emerg emergency alert f",
}
_LEVELS: Final = {name: level for level, names in _NAMES.items() for name in names.split()}
# Severities of syslog: RFC 5424, 6.2.1.
_SYSLOG: Final = (*[Level.FATAL] * 3, Level.ERROR, Level.WARNING, Level.INFO, Level.INFO, Level.DEBUG)

_WORDS: Final = (
    "trace|verbose|debug|info|notice|note|warn|warning|error|err|severe|fatal|critical|crit|panic|emerg|alert"
)
_UPPER: Final = f"(?:{_WORDS.upper()})"
_ANY: Final = f"(?i:{_WORDS})"

_IN_FRONT: Final = re.compile(
    rf"""
    [│╷|>\s]*+(?:\#\d+\ \d+\.\d+\ )?+                            # frames and indents, steps of BuildKit
    (?:
        [\[<(]\s*+({_ANY})\s*+[\]>)]                              # [ERROR], <warning>
        | ({_ANY})(?:\s?\[\w+\]|\ [A-Z]+\d+)?\s?+(?::(?!:)|\||\ ?-\s)   # Error: error[E1]: error TS1: info - warn |
        | ({_UPPER})(?=\s|$)
        | \#\#\[(error|warning|debug)\]
        | ::(error|warning|notice|debug)(?:\ [^\n]*?)?::
        | npm\ (?i:(ERR!|error|warn|notice))(?=\ )
        | ([EW]):\ (?=\S)                                         # apt
        | ([IWEF])\d{{4}}\ \d\d:\d\d:\d\d                         # glog
        | ([DIWEF]),\ \[\d{{4}}-                                  # Ruby
        | make(?:\[\d+\])?:\ (\*\*\*)
        | CMake\ (Error|Warning)\b
        | (?:[A-Za-z]:(?=[\\/]))?[^\s:(\[{{"'=]{{1,300}}+         # a.c:1:2: fatal error: a.ts(1): error TS1:
            (?:\(\d+(?:,\d+)*\)|(?::\d+){{0,2}})\s?:\ ({_ANY})(?:\ error)?(?:\ [A-Z]+\d+)?:
    )
    """,
    re.VERBOSE,
)
_TIME: Final = re.compile(
    r"\s*+[\[(]?(?:[A-Z][a-z]{2},? )?(?:\d{2,4}[-/.]\d\d[-/.]\d{2,4}[T ]|[A-Z][a-z]{2} +\d{1,2} )?"
    r"\d\d:\d\d:\d\d(?:[.,]\d+)?(?: ?Z| ?[+-]\d\d:?\d\d| (?:UTC|GMT|[A-Z]{2,3}T)(?= ))?(?: \d{4}(?=\]))?[\])]?"
)
_BEHIND_TIME: Final = re.compile(
    rf"\s*+(?:[\[<(](?:[\w-]+:)?\s*+({_ANY})\s*+[\]>)]|((?:{_UPPER}|TRC|DBG|INF|WRN|FTL|LOG(?=:)))(?=[\s:/\]|,]|$)"
    rf"|({_ANY})(?=:)|(trace|debug|info|warn|warning|error|fatal)(?=\s))"
)
# What may stand between a time and a level: things in brackets, names before a dash or a colon, numbers, a host.
_PART: Final = re.compile(
    r"\s*+(?:\[[^\]\n]*+\]|\([^)\n]*+\)|[-|:]|\d+(?=\s)|[\w.$/@-]++(?:\[\d+\])?:|[\w.$/@-]++(?= [-|])"
    r"|[\w.-]++(?= [\w./-]++(?:\[\d+\])?:))"
)
_JSON_FIELD: Final = re.compile(
    r'"(?:@?level|severity|severity_?text|level_?name|log[._]?level|lvl|@l)"\s*+:\s*+(?:"([A-Za-z]+)"|(\d{1,2})(?!\d))',
    re.IGNORECASE,
)
_TEXT_FIELD: Final = re.compile(r'(?:^|[\s,])(?:level|lvl|severity|loglevel)="?([A-Za-z]+)"?(?=[\s,]|$)')


def find_level(line: str) -> Level:
    """Return the level that a line is marked with. It is one without control sequences: see `strip_ansi`."""
    head = line[:_LOOKED_AT]
    mark = _IN_FRONT.match(head)
    if mark is None and (time := _TIME.match(head)) is not None:
        mark = _find_behind(head, time.end())
    if mark is not None:
        return _LEVELS[mark[mark.lastindex or 0].lower()]
    if "{" in head and (field := _JSON_FIELD.search(line, 0, _FIELD_LOOKED_AT)) is not None:
        return _LEVELS.get(field[1].lower(), Level.UNMARKED) if field[1] else _level_of_number(int(field[2]))
    if "=" in head and (field := _TEXT_FIELD.search(head)) is not None:
        return _LEVELS.get(field[1].lower(), Level.UNMARKED)
    return Level.UNMARKED


def _find_behind(head: str, position: int) -> re.Match[str] | None:
    """Return the mark behind a time, after parts that are not yet the message."""
    for _ in range(_MOST_PARTS):
        if (mark := _BEHIND_TIME.match(head, position)) is not None:
            return mark
        part = _PART.match(head, position)
        if part is None:
            return None
        position = part.end()
    return None


def _level_of_number(number: int) -> Level:
    """0 to 7 are severities of syslog; 10 to 60 are levels of Bunyan and its successors."""
    if number < len(_SYSLOG):
        return _SYSLOG[number]
    return Level(number // 10) if 10 <= number < 70 else Level.UNMARKED
