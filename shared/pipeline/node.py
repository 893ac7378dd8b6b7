"""The pipeline file as a tree: what was written and where, before it means anything.

A scalar is its source text. It gets a type only from the field that it stands in, so that `on` and `yes` are
text, and `3.10` is not the number 3.1.
"""

import msgspec

from shared.pipeline.problem import Mark

# YAML 1.2, section 10.3.2: what the core schema takes for the absence of a value.
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


class ScalarNode(msgspec.Struct, frozen=True):
    """Text. `plain`: it stood without quotes, and not in a block."""

    mark: Mark
    text: str
    plain: bool

    @property
    def is_null(self) -> bool:
        """Whether it says that there is no value."""
        return self.plain and self.text in _NULLS


class SequenceNode(msgspec.Struct, frozen=True):
    """A list."""

    mark: Mark
    elements: list["Node"]


class Entry(msgspec.Struct, frozen=True):
    """A key's place and its value."""

    key_mark: Mark
    value: "Node"


class MappingNode(msgspec.Struct, frozen=True):
    """Keys and values, in the order of the file."""

    mark: Mark
    entries: dict[str, Entry]


Node = ScalarNode | SequenceNode | MappingNode


def name_node(node: Node) -> str:
    """Return what the node is, in the words of a message."""
    match node:
        case ScalarNode():
            return "nothing" if node.is_null else "text"
        case SequenceNode():
            return "a list"
        case MappingNode():
            return "a mapping"
