"""Globs for branch names: `?` is one character, `*` any number, neither crosses `/`; `**` crosses.

`**/` also stands for no directory at all: `**/fix` matches `fix`.

The pattern is run as an automaton whose states are the bits of one integer. So the time is a few operations
for each character of the name, whatever the pattern: nothing backtracks.
"""

from functools import lru_cache
from typing import NamedTuple


class _Glob(NamedTuple):
    """For each kind of token, the bits of the positions where one stands."""

    length: int
    literals: dict[str, int]
    single: int
    star: int
    double_star: int
    # Where `**/` begins a directory: it may be passed over whole.
    optional_directories: int


def match_glob(pattern: str, name: str) -> bool:
    """Whether the pattern matches the whole name."""
    glob = _compile(pattern)
    stars = glob.star | glob.double_star
    # Bit i is set while the first i tokens can have matched what was read so far.
    states = _pass_over(1, glob, stars, at_directory=True)
    for character in name:
        advancing = glob.literals.get(character, 0)
        staying = glob.double_star
        if character != "/":
            advancing |= glob.single
            staying |= glob.star
        states = (states & advancing) << 1 | (states & staying)
        states = _pass_over(states, glob, stars, at_directory=character == "/")
        if not states:
            return False
    return bool(states >> glob.length & 1)


def _pass_over(states: int, glob: _Glob, stars: int, *, at_directory: bool) -> int:
    """Add the states reached by stars that match nothing, and where a directory begins, by `**/` that does.

    One round is enough: the tokens never hold two stars in a row, nor two optional directories.
    """
    if at_directory:
        states |= (states & glob.optional_directories) << 2
    return states | (states & stars) << 1


@lru_cache(maxsize=1024)
def _compile(pattern: str) -> _Glob:
    tokens = _tokenize(pattern)
    bits: dict[str, int] = {}
    optional_directories = 0
    for position, token in enumerate(tokens):
        bits[token] = bits.get(token, 0) | 1 << position
        begins_directory = position == 0 or tokens[position - 1] == "/"
        if begins_directory and tokens[position : position + 2] == ["**", "/"]:
            optional_directories |= 1 << position
    single, star, double_star = (bits.pop(wildcard, 0) for wildcard in ("?", "*", "**"))
    return _Glob(len(tokens), bits, single, star, double_star, optional_directories)


def _tokenize(pattern: str) -> list[str]:
    """Split into `*`, `**`, `?` and characters. Runs of stars become `**`, runs of `**/` become one."""
    tokens: list[str] = []
    for character in pattern:
        if character == "*" and tokens and tokens[-1] in ("*", "**"):
            tokens[-1] = "**"
        elif character == "/" and tokens[-3:] == ["**", "/", "**"]:
            tokens.pop()
        else:
            tokens.append(character)
    return tokens
