"""From parser events to nodes, with limits on depth and on what aliases may add."""

import re

import msgspec
import yaml

from shared.pipeline.limits import MAX_ALIAS_COST, MAX_DEPTH
from shared.pipeline.locate import convert_mark
from shared.pipeline.node import Entry, MappingNode, Node, ScalarNode, SequenceNode
from shared.pipeline.parse_events import parse_events
from shared.pipeline.problem import START, Mark, ProblemList, join_path, show_text

_COST_OF_NODE = 8
# NUL ends an argument of a process and has no place in PostgreSQL's text; lone surrogates have none in UTF-8.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class _Built(msgspec.Struct, frozen=True):
    """A node, what it costs with all that it holds, and how many collections deep it is."""

    node: Node
    cost: int
    height: int


class _Open(msgspec.Struct):
    """A collection whose end has not come yet."""

    node: MappingNode | SequenceNode
    anchor: str | None
    cost: int = _COST_OF_NODE
    height: int = 1
    # In a mapping: the key whose value comes next.
    key: ScalarNode | None = None


def compose_nodes(text: str, problems: ProblemList) -> Node:
    """Return the root of the file's tree.

    Records duplicate keys, merge keys and tags, and goes on. Raises `StopReading` where it cannot go on.
    """
    composer = _Composer(problems)
    for event in parse_events(text, problems):
        composer.take(event)
    if composer.root is None or (isinstance(composer.root, ScalarNode) and composer.root.is_null):
        problems.stop(START, "", "the file is empty", "it needs `on` and `jobs`")
    return composer.root


class _Composer:
    def __init__(self, problems: ProblemList) -> None:
        self.root: Node | None = None
        self._problems = problems
        self._open: list[_Open] = []
        self._anchors: dict[str, _Built | None] = {}
        self._alias_cost = 0

    def take(self, event: yaml.Event) -> None:
        mark = convert_mark(event.start_mark)
        if isinstance(event, yaml.ScalarEvent):
            self._refuse_tag(event.tag, mark)
            self._take_scalar(event, mark)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._refuse_tag(event.tag, mark)
            self._begin(event, mark)
        elif isinstance(event, yaml.CollectionEndEvent):
            closed = self._open.pop()
            self._place(_Built(closed.node, closed.cost, closed.height), closed.anchor)
        elif isinstance(event, yaml.AliasEvent):
            self._take_alias(event.anchor or "", mark)

    def _take_scalar(self, event: yaml.ScalarEvent, mark: Mark) -> None:
        unstorable = _UNSTORABLE.search(event.value)
        if unstorable:
            code = ord(unstorable.group())
            self._problems.add(mark, self._path(), f"text cannot hold the character U+{code:04X}")
        scalar = ScalarNode(mark, event.value, plain=event.style in {None, ""})
        self._place(_Built(scalar, _COST_OF_NODE + len(event.value), 0), event.anchor)

    def _begin(self, event: yaml.CollectionStartEvent, mark: Mark) -> None:
        if len(self._open) >= MAX_DEPTH:
            self._problems.stop(mark, "", f"nested more than {MAX_DEPTH} levels deep")
        if self._expects_key():
            self._problems.stop(mark, self._path(), "a key must be text")
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        node = MappingNode(mark, {}) if is_mapping else SequenceNode(mark, [])
        self._open.append(_Open(node, event.anchor))

    def _take_alias(self, name: str, mark: Mark) -> None:
        shown, path = show_text(name), self._path()
        if self._expects_key():
            self._problems.stop(mark, path, "a key cannot be an alias")
        if name not in self._anchors:
            hint = f"`&{shown}` must stand above it; a glob must stand in quotes"
            self._problems.stop(mark, path, f"`*{shown}` names no anchor", hint)
        built = self._anchors[name]
        if built is None:
            self._problems.stop(mark, path, f"`*{shown}` stands within what it names")
        self._alias_cost += built.cost
        if self._alias_cost > MAX_ALIAS_COST:
            self._problems.stop(mark, path, "the aliases of this file stand for too much text")
        if len(self._open) + built.height > MAX_DEPTH:
            self._problems.stop(mark, path, f"nested more than {MAX_DEPTH} levels deep")
        self._place(built, None)

    def _place(self, built: _Built, anchor: str | None) -> None:
        """Put a finished node where it belongs: the root, a list, a key, or a key's value."""
        if anchor is not None:
            self._anchors[anchor] = built
        if not self._open:
            self.root = built.node
            return
        parent = self._open[-1]
        parent.cost += built.cost
        parent.height = max(parent.height, built.height + 1)
        if isinstance(parent.node, SequenceNode):
            parent.node.elements.append(built.node)
        elif parent.key is None:
            # Only scalars get here: `_begin` and `_take_alias` refuse other keys.
            assert isinstance(built.node, ScalarNode)  # noqa: S101
            parent.key = built.node
        else:
            self._set_entry(parent.node, parent.key, built.node)
            parent.key = None

    def _set_entry(self, mapping: MappingNode, key: ScalarNode, value: Node) -> None:
        earlier = mapping.entries.get(key.text)
        if earlier:
            self._problems.add(key.mark, self._path(), "duplicate key", f"first at line {earlier.key_mark.line}")
        elif key.plain and key.text == "<<":
            hint = "YAML 1.2 has none; write the keys out, or let `*alias` stand for a whole value"
            self._problems.add(key.mark, self._path(), "merge keys are not supported", hint)
        elif key.plain and not key.text:
            self._problems.add(key.mark, self._path(), "a key is missing before this `:`")
        else:
            mapping.entries[key.text] = Entry(key.mark, value)

    def _expects_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1].node, MappingNode) and self._open[-1].key is None

    def _refuse_tag(self, tag: str | None, mark: Mark) -> None:
        if tag is not None:
            shown = show_text(tag.replace("tag:yaml.org,2002:", "!!", 1))
            message = f"tags such as `{shown}` are not supported"
            self._problems.add(mark, self._path(), message, "the field decides the type")

    def _path(self) -> str:
        """Return the path of the value that comes next, or of the key whose value is at hand."""
        path = ""
        for level in self._open:
            if isinstance(level.node, SequenceNode):
                path += f"[{len(level.node.elements)}]"
            elif level.key is not None and level.key.text:
                path = join_path(path, level.key.text)
        return path
