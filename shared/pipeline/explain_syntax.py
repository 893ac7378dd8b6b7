"""Turn what the YAML parser complains of into words for people who did not write a YAML parser."""

from typing import Final, NamedTuple

import yaml

from shared.pipeline.locate import convert_mark, split_lines
from shared.pipeline.problem import START, Mark, ProblemList, show_text

_CHECK_INDENTATION: Final = "check the indentation of this line and of those above it"


class _Words(NamedTuple):
    """What to say when the parser's complaint, or what it was doing, holds `needle`.

    `at_opening`: the mistake lies where the parser began what it was doing, not where it noticed.
    """

    needle: str
    message: str
    hint: str | None = None
    at_opening: bool = False


# The first that fits; both of PyYAML's parsers share these phrases.
_WORDS: Final = (
    _Words("cannot start any token", "text cannot begin with `{character}`", "put it in quotes"),
    _Words(
        "mapping values are not allowed",
        "`:` cannot stand here",
        f"put text that holds `: ` in quotes, or {_CHECK_INDENTATION}",
    ),
    _Words("sequence entries are not allowed", "a list cannot begin here", _CHECK_INDENTATION),
    _Words("an alias", "`*` cannot stand here", "put a glob that begins with `*` in quotes", at_opening=True),
    _Words("unexpected end of stream", "the quote that opens here is never closed", at_opening=True),
    _Words(
        "unknown escape",
        "the text that opens here has an escape that YAML does not know",
        "within double quotes a backslash is written twice; within single quotes it stands for itself",
        at_opening=True,
    ),
    _Words("could not find expected ':'", "expected `key: value`", _CHECK_INDENTATION, at_opening=True),
    _Words("flow", "expected `,` or the closing bracket", "the bracket opens at line {line}"),
    _Words("parsing a block", "this line does not fit into what it stands in", _CHECK_INDENTATION),
)


def explain_syntax(error: yaml.YAMLError, text: str, problems: ProblemList) -> None:
    """Record the parser's complaint as a problem."""
    if not isinstance(error, yaml.MarkedYAMLError):
        problems.add(START, "", f"not valid YAML: {show_text(str(error))}")
        return
    complaint = error.problem or ""
    at, opening = convert_mark(error.problem_mark), convert_mark(error.context_mark)
    character = _character_at(text, at)
    if character == "\t":
        problems.add(at, "", "a tab cannot stand here", "indent with spaces")
        return
    for words in _WORDS:
        if words.needle in complaint or words.needle in (error.context or ""):
            message = words.message.format(character=show_text(character))
            hint = words.hint and words.hint.format(line=opening.line)
            problems.add(opening if words.at_opening else at, "", message, hint)
            return
    problems.add(at, "", f"not valid YAML: {show_text(complaint)}")


def _character_at(text: str, mark: Mark) -> str:
    lines = split_lines(text)
    return lines[mark.line - 1][mark.column - 1 : mark.column] if mark.line <= len(lines) else ""
