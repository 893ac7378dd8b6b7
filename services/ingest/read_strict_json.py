"""JSON that is to be stored as it came: read as strictly as everything after us will read it.

What JSON parsers disagree about is refused here, and its place named: keys that come twice, numbers that no double can
hold, NaN, NUL and half characters in text, and nesting that somebody's stack would not bear.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from services.ingest.problem_details import Problem, bad_field

# The way to a value in a document.
Path = tuple[str | int, ...]

MOST_DEPTH: Final = 100
# Only bodies that hold such an escape are searched for text that cannot be stored.
_DOUBTFUL_ESCAPE: Final = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
# Any double fits; what is longer is refused by one reader or another. Few documents have so many digits in a row.
_MOST_DIGITS: Final = 309
_LONG_NUMBER: Final = re.compile(rb"[0-9]{%d}" % (_MOST_DIGITS + 1))
_MOST_PATH: Final = 200


class _Fault:
    """Stands in a document where something is wrong."""

    def __init__(self, message: str) -> None:
        self.message = message


class _Hooks:
    """What the parser calls; counts the faults, so that a document without any is not searched."""

    def __init__(self) -> None:
        self.faults = 0

    def fault(self, message: str) -> _Fault:
        self.faults += 1
        return _Fault(message)

    def object(self, pairs: list[tuple[str, Any]]) -> Any:
        found = dict(pairs)
        if len(found) == len(pairs):
            return found
        counted = Counter(key for key, _ in pairs)
        twice = next(key for key, count in counted.items() if count > 1)
        return self.fault(f"the key {twice!r} comes twice")

    def constant(self, text: str) -> _Fault:
        return self.fault(f"{text} is no number of JSON")

    def number(self, text: str) -> float | _Fault:
        value = float(text)
        return value if math.isfinite(value) else self.fault("the number is larger than a double can hold")

    def integer(self, text: str) -> int | _Fault:
        return int(text) if len(text) <= _MOST_DIGITS else self.fault(f"the number has more than {_MOST_DIGITS} digits")


def read_strict_json(body: bytes, *root: str) -> Any:
    """Return the document; places in it are named as if they lay below `root`.

    Raises `Problem`: 400 for what is not JSON; 422, with its place, for what cannot be stored.
    """
    hooks = _Hooks()
    try:
        document = json.loads(
            body.decode(),
            object_pairs_hook=hooks.object,
            parse_constant=hooks.constant,
            parse_float=hooks.number,
            parse_int=hooks.integer if _LONG_NUMBER.search(body) else None,
        )
        if hooks.faults:
            raise _first_fault(document, root)
        if isinstance(document, dict | list):
            _check_depth(document, root)
        if _DOUBTFUL_ESCAPE.search(body):
            _check_text(document, root)
    except RecursionError:
        raise _too_deep(root) from None
    except json.JSONDecodeError as error:
        raise Problem(400, "bad-json", f"The body is not JSON: {error}.") from None
    except UnicodeDecodeError as error:
        raise Problem(400, "bad-json", f"The body is not UTF-8: {error.reason} at byte {error.start}.") from None
    return document


def write_path(path: Path) -> str:
    """Return a place in a document as problem documents write it: `[3].payload.to[0]`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")
    shown = _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)
    return shown if len(shown) <= _MOST_PATH else shown[: _MOST_PATH - 1] + "…"


def _places(value: Any, root: Path) -> Iterator[tuple[Path, Any]]:
    """Yield every value of a document with its place, outer ones first, in order."""
    waiting: list[tuple[Path, Any]] = [(root, value)]
    while waiting:
        at, found = waiting.pop()
        yield at, found
        if isinstance(found, dict):
            waiting.extend([((*at, key), inner) for key, inner in found.items()][::-1])
        elif isinstance(found, list):
            waiting.extend([((*at, index), inner) for index, inner in enumerate(found)][::-1])


def _first_fault(document: Any, root: Path) -> Problem:
    path, fault = next((path, value) for path, value in _places(document, root) if isinstance(value, _Fault))
    return bad_field(write_path(path) or "body", fault.message)


def _check_depth(document: Any, root: Path) -> None:
    # Level by level, without the places: nearly all documents are shallow, and some are of many jobs.
    level = [document]
    for _ in range(MOST_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    deep = next(path for path, value in _places(document, root) if value is level[0])
    raise _too_deep(deep[: len(root) + 4])


def _too_deep(path: Path) -> Problem:
    return bad_field(write_path(path) or "body", f"it is nested deeper than {MOST_DEPTH} levels")


def _check_text(document: Any, root: Path) -> None:
    for path, value in _places(document, root):
        texts = value if isinstance(value, dict) else [value]
        for text in texts:
            if isinstance(text, str) and (found := _UNSTORABLE.search(text)):
                what = "NUL" if found[0] == "\0" else "half of a character (a lone surrogate)"
                raise bad_field(write_path(path) or "body", f"its text holds {what}, which cannot be stored")
