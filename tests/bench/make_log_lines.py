"""Lines as package tools, test runners, compilers and servers print them: words that return, ids that do not."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

_START: Final = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
_WORDS: Final = [
    "connection",
    "pool",
    "request",
    "handler",
    "user",
    "order",
    "payment",
    "cache",
    "miss",
    "hit",
    "stored",
    "updated",
    "deleted",
    "queue",
    "message",
    "started",
    "finished",
    "retry",
    "timeout",
    "session",
    "token",
    "verified",
    "loaded",
    "schema",
    "migration",
    "index",
    "table",
    "column",
    "row",
    "batch",
    "flush",
    "commit",
    "rollback",
    "parser",
    "stream",
    "buffer",
    "client",
    "server",
    "route",
    "filter",
    "query",
    "result",
    "event",
    "listener",
    "thread",
    "socket",
]
_PACKAGES: Final = [
    "requests",
    "urllib3",
    "numpy",
    "pandas",
    "django",
    "flask",
    "jinja2",
    "click",
    "pytest",
    "attrs",
    "pluggy",
    "idna",
    "certifi",
    "rich",
]

Kind = Callable[[random.Random, datetime, float], str]


def make_log_lines(count: int, *, seed: int) -> Iterator[bytes]:
    """Yield lines with their newlines: a sixth each of what pip, pytest, Maven, a server (JSON and access log) and a
    compiler print, one after the other.
    """
    dice = random.Random(seed)
    now = _START + timedelta(days=seed)
    for number in range(count):
        now += timedelta(microseconds=dice.randrange(200, 40_000))
        kind = _KINDS[number * len(_KINDS) // count]
        yield kind(dice, now, number / count).encode() + b"\n"


def _word(dice: random.Random) -> str:
    return dice.choice(_WORDS)


def _sentence(dice: random.Random, length: int) -> str:
    return " ".join(dice.choices(_WORDS, k=length))


def _version(dice: random.Random) -> str:
    return f"{dice.randrange(9)}.{dice.randrange(30)}.{dice.randrange(20)}"


def _pip(dice: random.Random, _now: datetime, _done: float) -> str:
    name, version = dice.choice(_PACKAGES), _version(dice)
    megabytes = [dice.randrange(990) / 10 for _ in range(3)]
    return dice.choice(
        (
            f"Collecting {name}>={version}",
            f"  Downloading {name}-{version}-py3-none-any.whl.metadata ({megabytes[0]} kB)",
            f"Requirement already satisfied: {name} in ./venv/lib/python3.13/site-packages ({version})",
            f"   {'━' * 20} {megabytes[0]}/{megabytes[1]} MB {megabytes[2]} MB/s eta 0:00:01",
        )
    )


def _pytest(dice: random.Random, _now: datetime, done: float) -> str:
    test = f"test_{_word(dice)}_{_word(dice)}_{_word(dice)}[{dice.randrange(500)}-{_word(dice)}]"
    return f"tests/unit/test_{_word(dice)}.py::{test} PASSED        [{done:4.0%}]"


def _maven(dice: random.Random, now: datetime, _done: float) -> str:
    artifact = f"{_word(dice)}-{_word(dice)}"
    match dice.randrange(4):
        case 0:
            return (
                f"[INFO] Downloading from central: https://repo.example.org/maven2/org/{artifact}/{_version(dice)}.jar"
            )
        case 1:
            counts = f"Tests run: {dice.randrange(50)}, Failures: 0, Errors: 0, Skipped: {dice.randrange(3)}"
            test = f"org.example.{_word(dice)}.{_word(dice).title()}Test"
            return f"[INFO] {counts}, Time elapsed: {dice.random() * 3:.3f} s -- in {test}"
        case 2:
            return f"[WARNING] {_sentence(dice, 2)} uses unchecked or unsafe operations."
        case _:
            at = f"{now:%Y-%m-%d %H:%M:%S},{now.microsecond // 1000:03d}"
            return f"{at} DEBUG [main] org.example.{_word(dice)} - {_sentence(dice, 6)} {dice.randrange(100_000)}"


def _server(dice: random.Random, now: datetime, _done: float) -> str:
    level = dice.choice(("info", "info", "debug", "warn", "error"))
    return (
        f'{{"timestamp":"{now:%Y-%m-%dT%H:%M:%S.%f}Z","level":"{level}",'
        f'"logger":"app.{_word(dice)}","request_id":"{UUID(int=dice.getrandbits(128))}","remote":"{_address(dice)}",'
        f'"duration_ms":{dice.randrange(100_000) / 100},"message":"{_sentence(dice, 5)}"}}'
    )


def _access(dice: random.Random, now: datetime, _done: float) -> str:
    return (
        f"{_address(dice)} - - [{now:%d/%b/%Y:%H:%M:%S} +0000] "
        f'"GET /api/v1/{_word(dice)}/{dice.randrange(10**6)}?page={dice.randrange(100)} HTTP/1.1" 200 '
        f'{dice.randrange(10**5)} "-" "Mozilla/5.0"'
    )


def _compiler(dice: random.Random, _now: datetime, done: float) -> str:
    source = f"{_word(dice)}/{_word(dice)}_{_word(dice)}.cpp.o"
    return f"[{done * 997:.0f}/997] Building CXX object src/CMakeFiles/{_word(dice)}.dir/{source}"


def _address(dice: random.Random) -> str:
    return f"10.{dice.randrange(256)}.{dice.randrange(256)}.{dice.randrange(256)}"


_KINDS: Final[tuple[Kind, ...]] = (_pip, _pytest, _maven, _server, _access, _compiler)
