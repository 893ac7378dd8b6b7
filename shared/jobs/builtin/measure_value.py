"""How large a JSON value is when it is written out, told without writing it.

What an expression makes may hold the same part many times: in memory it is there once, and written out each
time. Forty doublings are forty lists in memory, and terabytes as text.
"""

from typing import Any


class NoJsonValueError(TypeError):
    """Something in it is no JSON value; the message names its type."""


def measure_value(value: Any) -> int:
    """Return about how many characters the value has as JSON: never more than it really has.

    Takes time by what is in memory, not by what would be written. Raises `NoJsonValueError`, and `RecursionError`
    for what is nested too deeply to be written at all.
    """
    return _measure(value, {})


def _measure(value: Any, known: dict[int, int]) -> int:
    match value:
        case str():
            return len(value) + 2
        case None | bool() | int() | float():
            return 1
        case list():
            parts = value
            size = 1 + max(1, len(parts))
        case dict():
            parts = list(value.values())
            size = 1 + max(1, len(parts)) + sum(len(name) + 3 for name in value)
        case _:
            raise NoJsonValueError(type(value).__name__)
    # By identity, which holds while `value` does: nothing in it is made here.
    found = known.get(id(value))
    if found is None:
        found = size + sum(_measure(part, known) for part in parts)
        known[id(value)] = found
    return found
