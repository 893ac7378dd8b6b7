"""Read any value as JSON: scalars by the core schema of YAML 1.2 (section 10.3.2), as far as JSON has words."""

import math
import re

import msgspec

from shared.pipeline.kinds import JsonValue
from shared.pipeline.node import MappingNode, Node, ScalarNode, SequenceNode
from shared.pipeline.problem import ProblemList, join_path, show_text

Json = str | int | float | bool | list["Json"] | dict[str, "Json"] | None

_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
# No base but ten: JSON has no other, and a reader of the file expects none.
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NUMBER_LIKE = re.compile(rf"{_FLOAT.pattern}|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)|0[ox][0-9a-fA-F]+")


def read_json(kind: JsonValue, node: Node, path: str, problems: ProblemList) -> Json:
    """Return the node's content; less than all of it where there are problems."""
    value = _read(node, path, problems)
    if len(msgspec.json.encode(value)) > kind.max_bytes:
        problems.add(node.mark, path, f"is longer than {kind.max_bytes} bytes of JSON")
    return value


def _read(node: Node, path: str, problems: ProblemList) -> Json:
    match node:
        case SequenceNode():
            return [_read(element, f"{path}[{index}]", problems) for index, element in enumerate(node.elements)]
        case MappingNode():
            return {key: _read(entry.value, join_path(path, key), problems) for key, entry in node.entries.items()}
        case ScalarNode():
            return _read_scalar(node, path, problems)


def _read_scalar(node: ScalarNode, path: str, problems: ProblemList) -> Json:
    if "${" in node.text:
        problems.add(node.mark, path, "substitution by `${…}` is not supported yet")
        return None
    if node.is_null:
        return None
    if node.plain and node.text in _BOOLEANS:
        return _BOOLEANS[node.text]
    if node.plain and _NUMBER_LIKE.fullmatch(node.text):
        return _read_number(node, path, problems)
    # A surrogate is on the list of problems already.
    return node.text.encode(errors="replace").decode()


def _read_number(node: ScalarNode, path: str, problems: ProblemList) -> int | float | None:
    if _INTEGER.fullmatch(node.text):
        return int(node.text)
    number = float(node.text) if _FLOAT.fullmatch(node.text) else math.inf
    if math.isfinite(number):
        return number
    problems.add(node.mark, path, f"`{show_text(node.text)}` is no number of JSON", "quote it if text is meant")
    return None
