"""Read one scalar by the kind of its field: its text is what was written, its type what the field takes."""

import re
from typing import NamedTuple

from shared.pipeline.explain_key import suggest_value
from shared.pipeline.kinds import (
    DURATION_PATTERN,
    BranchPattern,
    Choice,
    Duration,
    JobReference,
    JobType,
    Scalar,
    Text,
)
from shared.pipeline.limits import JOB_KEY, JOB_TYPE
from shared.pipeline.node import Node, ScalarNode, name_node
from shared.pipeline.problem import Mark, ProblemList, show_text

_DURATION = re.compile(DURATION_PATTERN)
# git-check-ref-format(1) allows none of these in a branch's name; `*` and `?` are the glob's own.
_NEVER_IN_BRANCHES = re.compile(r"[\[\\^~: ]")


class Reference(NamedTuple):
    """A job's key, with the place where it stands."""

    key: str
    mark: Mark
    path: str


def read_scalar(kind: Scalar, node: Node, path: str, problems: ProblemList) -> str | int | Reference | None:
    """Return the scalar's value; None if it has none of the kind, which is then on the list of problems."""
    if not isinstance(node, ScalarNode):
        problems.add(node.mark, path, f"expected {_describe(kind)}, found {name_node(node)}")
    elif node.is_null:
        message = f"`{node.text}` means no value" if node.text else "has no value"
        hint = "quote it if text is meant" if node.text else f"expected {_describe(kind)}"
        problems.add(node.mark, path, message, hint)
    elif "${" in node.text and not (isinstance(kind, Text) and kind.verbatim):
        hint = "scripts can use environment variables"
        problems.add(node.mark, path, "substitution by `${…}` is not supported yet", hint)
    else:
        return _read_present(kind, node, path, problems)
    return None


def _read_present(kind: Scalar, node: ScalarNode, path: str, problems: ProblemList) -> str | int | Reference | None:
    match kind:
        case Text():
            return _read_text(kind, node, path, problems)
        case Duration():
            return _read_duration(kind, node, path, problems)
        case Choice():
            return _read_choice(kind, node, path, problems)
        case BranchPattern():
            return _read_pattern(kind, node, path, problems)
        case JobReference():
            return _read_reference(node, path, problems)
        case JobType():
            return _read_job_type(node, path, problems)


def _read_text(kind: Text, node: ScalarNode, path: str, problems: ProblemList) -> str | None:
    message = None
    if not kind.may_be_empty and not node.text.strip():
        message = "is empty"
    # A surrogate is on the list already; here it must only not break the counting.
    elif len(node.text.encode(errors="replace")) > kind.max_bytes:
        message = f"is longer than {kind.max_bytes} bytes"
    elif not kind.verbatim and not node.text.isprintable():
        message = "must be one line without control characters"
    if message:
        problems.add(node.mark, path, message)
        return None
    return node.text


def _read_duration(kind: Duration, node: ScalarNode, path: str, problems: ProblemList) -> int | None:
    found = _DURATION.fullmatch(node.text) if node.text else None
    if not found:
        message = f"`{show_text(node.text)}` is not a duration"
        problems.add(node.mark, path, message, "write hours, minutes and seconds as in `20m`, `90s` or `1h30m`")
        return None
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    total = hours * 3600 + minutes * 60 + seconds
    if not 1 <= total <= kind.max_seconds:
        problems.add(node.mark, path, f"must be between 1s and {kind.max_seconds // 3600}h")
        return None
    return total


def _read_choice(kind: Choice, node: ScalarNode, path: str, problems: ProblemList) -> str | None:
    if node.text in kind.values:
        return node.text
    if node.text in kind.later:
        problems.add(node.mark, path, f"`{node.text}` is not supported yet")
    else:
        hint = suggest_value(node.text, kind.values)
        problems.add(node.mark, path, f"expected {_describe(kind)}, found `{show_text(node.text)}`", hint)
    return None


def _read_pattern(kind: BranchPattern, node: ScalarNode, path: str, problems: ProblemList) -> str | None:
    text = node.text
    impossible = _NEVER_IN_BRANCHES.search(text)
    if not text or not text.isprintable():
        problems.add(node.mark, path, "is not a glob for branches")
    elif len(text) > kind.max_characters:
        problems.add(node.mark, path, f"is longer than {kind.max_characters} characters")
    elif text.startswith("!"):
        problems.add(node.mark, path, "globs that exclude branches by `!` are not supported yet")
    elif impossible:
        message = f"matches nothing: no branch has `{impossible.group()}` in its name"
        problems.add(node.mark, path, message, "globs know `*`, `**` and `?`")
    else:
        return text
    return None


def _read_reference(node: ScalarNode, path: str, problems: ProblemList) -> Reference | None:
    if not re.fullmatch(JOB_KEY, node.text):
        problems.add(node.mark, path, f"`{show_text(node.text)}` cannot be the key of a job")
        return None
    return Reference(node.text, node.mark, path)


def _read_job_type(node: ScalarNode, path: str, problems: ProblemList) -> str | None:
    if not re.fullmatch(JOB_TYPE, node.text):
        problems.add(
            node.mark, path, f"`{show_text(node.text)}` cannot be the type of a job", f"it must match {JOB_TYPE}"
        )
        return None
    return node.text


def _describe(kind: Scalar) -> str:
    match kind:
        case Text():
            return "text"
        case Duration():
            return "a duration such as `20m`"
        case Choice():
            return " or ".join(f"`{value}`" for value in kind.values)
        case BranchPattern():
            return "a branch or a glob such as `release/*`"
        case JobReference():
            return "the key of a job"
        case JobType():
            return "the type of a job"
