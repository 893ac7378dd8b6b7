"""Turn what the YAML parser complains of into words for people who did not write a YAML parser."""

import yaml

from shared.pipeline.locate import convert_mark, split_lines
from shared.pipeline.problem import START, Mark, ProblemList, show_text

_CHECK_INDENTATION = "check the indentation of this line and of those above it"


def explain_syntax(error: yaml.YAMLError, text: str, problems: ProblemList) -> None:
    """Record the parser's complaint as a problem."""
    if not isinstance(error, yaml.MarkedYAMLError):
        problems.add(START, "", f"not valid YAML: {show_text(str(error))}")
        return
    complaint, at, opened = (
        error.problem or "",
        convert_mark(error.problem_mark),
        convert_mark(error.context_mark),
    )
    character = _character_at(text, at)
    if character == "\t":
        problems.add(at, "", "a tab cannot stand here", "indent with spaces")
    elif "cannot start any token" in complaint:
        problems.add(at, "", f"text cannot begin with `{show_text(character)}`", "put it in quotes")
    elif "mapping values are not allowed" in complaint:
        problems.add(
            at, "", "`:` cannot stand here", f"put text that holds `: ` in quotes, or {_CHECK_INDENTATION}"
        )
    elif "block sequence entries are not allowed" in complaint:
        problems.add(at, "", "a list cannot begin here", _CHECK_INDENTATION)
    elif error.context and "alias" in error.context:
        problems.add(opened, "", "`*` cannot stand here", "put a glob that begins with `*` in quotes")
    elif "unexpected end of stream" in complaint:
        problems.add(opened, "", "the quote that opens here is never closed")
    elif "could not find expected ':'" in complaint:
        problems.add(opened, "", "expected `key: value`", _CHECK_INDENTATION)
    elif error.context and "flow" in error.context:
        problems.add(
            at, "", "expected `,` or the closing bracket", f"the bracket opens at line {opened.line}"
        )
    elif "expected key" in complaint or "block end" in complaint or "'-' indicator" in complaint:
        problems.add(at, "", "this line does not fit into what it stands in", _CHECK_INDENTATION)
    else:
        problems.add(at, "", f"not valid YAML: {show_text(complaint)}")


def _character_at(text: str, mark: Mark) -> str:
    lines = split_lines(text)
    return lines[mark.line - 1][mark.column - 1 : mark.column] if mark.line <= len(lines) else ""
