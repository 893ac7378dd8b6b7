"""How programs say what went wrong: rules in the order in which they are asked, each for lines that tell the cause.

The patterns are searched for in the text of many lines at once. Where a pattern has a group, the line in which the
group begins is meant, else the one in which the match begins. Every quantifier is bounded by the line or possessive,
and where one may begin at every place of a line, it is bounded by a number: the text is whatever a job prints.
"""

import re
from typing import Final, Literal

from msgspec import Struct


class Rule(Struct, frozen=True):
    """A pattern, and which of several matches tells the cause."""

    name: str
    pattern: re.Pattern[str]
    pick: Literal["first", "last"]


def _first(name: str, *alternatives: str) -> Rule:
    return _rule(name, alternatives, "first")


def _last(name: str, *alternatives: str) -> Rule:
    return _rule(name, alternatives, "last")


def _rule(name: str, alternatives: tuple[str, ...], pick: Literal["first", "last"]) -> Rule:
    return Rule(name, re.compile("|".join(f"(?:{one})" for one in alternatives), re.MULTILINE), pick)


# No time of day, though that has colons and numbers too.
_PATH: Final = r"(?!\d+:\d)(?:[A-Za-z]:(?=[\\/]))?[^\s:(\[\"'=]{1,300}+"
_PLACE: Final = r"(?:\(\d+(?:,\d+)*+\)|(?::\d+){1,2}+)"
_NPM: Final = r"^npm (?:ERR!|error)"

# Asked first when the shell's exit code says just this: 126 or 127.
NOT_STARTED: Final = _last(
    "not started",
    r"\bnot found$",
    r": (?:No such file or directory|Permission denied|Is a directory|Exec format error|cannot execute\b.*)$",
)

RULES: Final = (
    _first("marked", r"^::error(?: [^\n]*?)?::\S", r"^##\[error\](?!Process completed|Bash exited)\S"),
    _first(
        "compiler",
        # a.c:1:2: fatal error: …   a.ts(1,2): error TS1: …   a.ts:1:2 - error TS1: …   a.py:1: error: …
        rf"^[ \t]*+{_PATH}{_PLACE}(?: ?:)?(?: -)? (?:fatal |internal compiler )?[Ee]rror\b",
        # Go, and Go's linters.
        r"^(?:vet: )?[\w./@-]{1,300}+(?<=\.go):\d+:\d+: \S",
        r"^error\[[A-Z]\d+\]: \S",
        r"^error: (?:expected|unexpected|cannot find|unresolved|mismatched|no such|failed to parse|failed to select)\b",
        # Maven's javac, sbt, Kotlin.
        r"^\[ERROR\] \S+:\[\d+,\d+\] \S",
        r"^\[error\] \S+:\d+(?::\d+)?: \S",
        r"^e: \S",
        r"^CMake Error\b",
        r"^.*: undefined reference to \S",
        r"^(?:ld(?:\.lld)?|\S*/ld(?:\.\w+)?): (?:error: |undefined |cannot find |symbol\(s\))",
        r"^Undefined symbols for architecture",
    ),
    _first(
        "linter",
        # ESLint; Ruff, Flake8, Pylint.
        r"^[ \t]+\d+:\d+[ \t]+error[ \t]+\S",
        r"^[^\s:]{1,300}+:\d+:\d+: [A-Z]{1,4}\d{2,4}\b",
        r"^[A-Z]{1,4}\d{3,4} \S[^\n]*\n[ \t]+--> \S",
    ),
    _first(
        "test summary",
        # pytest.
        r"^(?:FAILED|ERROR) [^\s:]+(?:::\S[^\n]*| - \S)",
        # Surefire.
        r"^\[ERROR\]\s+[\w$]+\.[\w$]+(?::\d+| »)",
        # RSpec; Mocha; PHPUnit; ExUnit and Playwright.
        r"^[ \t]+Failure/Error: \S",
        r"^[ \t]+\d+ failing\b[^\n]*\n(?:[ \t]*\n)*+([ \t]+1\) \S)",
        r"^There (?:was|were) \d+ (?:failure|error)s?:\n(?:[ \t]*\n)*+(1\) \S)",
        r"^[ \t]+1\) (?:test |\[)\S",
        # Jest; Vitest.
        r"^[ \t]*● (?!Console\b)\S",
        r"^[ \t]*FAIL[ \t]+\S+ > \S",
    ),
    _first(
        "assertion",
        r"^E {3,}(?! )\S",
        r"^.*: Assertion [`'\"].{1,300}['\"] failed",
        r"^.*\bAssertion failed: \S",
        r"^==\d+==\s?ERROR: \w+Sanitizer: ",
        r"^thread '[^'\n]+' (?:\(\d+\) )?panicked at ",
    ),
    _first(
        "test",
        # unittest; go test; GoogleTest; cargo test; TAP; Gradle; .NET; xUnit; CTest; Jest.
        r"^(?:FAIL|ERROR): \w+ \([\w.]+\)",
        r"^[ \t]*--- FAIL: ",
        r"^\[  FAILED  \] \w",
        r"^test \S+ \.\.\. FAILED$",
        r"^not ok \d+",
        r"^[^\n>]{1,200} > [^\n]{1,200} FAILED$",
        r"^[ \t]+Failed \S[^\n]* \[[\d<][^\]\n]{0,40}+\]$",
        r"^\[xUnit[^\]\n]*\][ \t]+\S+ \[FAIL\]",
        r"^[ \t]*\d+/\d+ Test +#\d+: [^\n]*\*\*\*",
        r"^[ \t]*FAIL[ \t]+\S+\.\w+",
    ),
    _last(
        "Python's exception",
        r"^Traceback \(most recent call last\):\n(?:[ \t][^\n]*\n|\n)*+(\S)",
        r"^(?:Syntax|Indentation|Tab)Error: ",
    ),
    _first(
        "exception",
        r"^panic: \S",
        r"^fatal error: \S",
        r"^Exception in thread \"[^\"\n]*\" \S",
        r"^(?:Uncaught )?\w{0,100}(?:Error|Exception)(?: \[\w+\])?: [^\n]++\n(?:[^\n]++\n)?[ \t]+at ",
        r"^\S+\.rb:\d+:in [^\n]*\([A-Z][\w:]*\)$",
        r"^PHP (?:Fatal|Parse) error: ",
        r"^Unhandled exception[.:] ",
        r"^terminate called after throwing",
        r"^\*\* \([A-Z][\w.]*\)",
    ),
    _first(
        "build tool",
        r"^\* What went wrong:\n(\S)",
        rf"{_NPM} (?!(?i:code|errno|syscall|path|dest|command|cwd|signal|location|workspace|lifecycle|exit status)\b"
        r"|(?i:test failed|a complete log|failed at|this is probably|there is likely)|\S+@\S+ \w+:)\S",
        r"^[ \t]*ERR_PNPM_(?!RECURSIVE_RUN)\w+",
        r"^\[ERROR\] (?!COMPILATION ERROR|Tests run:|Failures:|Errors:|There are test failures|-> |\[Help|To see the"
        r"|Re-run Maven|For more information|After correcting|BUILD|See )\S",
    ),
)

# Said of another program's failure: these tell that something went wrong, and not what.
CONSEQUENCE: Final = re.compile(
    r"\s*(?:g?make(?:\[\d+\])?: \*\*\* |ninja: build stopped|collect2: error|\S*ELIFECYCLE\b|info Visit |\[ERROR\]"
    r"|npm (?:ERR!|error)(?:\s|$)|error Command failed with exit|##\[error\]|Error: Process completed|BUILD FAILED"
    r"|error: (?:could not compile|aborting due|test failed|process didn't exit)|FAILURE: Build failed|exit status \d+$"
    r"|clang(?:\+\+)?: error: linker command|FAILED \(\w+=\d+|ERROR: (?:process \"|Job failed|script returned)"
    r"|ERR_PNPM_RECURSIVE_RUN|=+ .* =+$|\d+ (?:errors?|failed)\b|Found \d+ errors?|FAIL$|FAIL\t\S)"
)

# What a shell under `set -x` is about to do.
TRACED: Final = re.compile(r"^\++ \S")
