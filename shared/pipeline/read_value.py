"""Read nodes by the kinds of their fields, and report all that does not fit."""

import re

from shared.pipeline.explain_key import explain_key
from shared.pipeline.kinds import Events, JsonValue, KeyRule, Kind, ListOf, MapOf, OneOrMany, Scalar, Section
from shared.pipeline.limits import MAX_EVENTS
from shared.pipeline.node import Entry, MappingNode, Node, ScalarNode, SequenceNode, name_node
from shared.pipeline.problem import ProblemList, join_path, show_text
from shared.pipeline.read_json import Json, read_json
from shared.pipeline.read_scalar import Reference, read_scalar

Value = str | int | Reference | Json | list["Value"] | dict[str, "Value"] | None


def read_value(kind: Kind, node: Node, path: str, problems: ProblemList) -> Value:
    """Return the node's content as plain data; None, or less than all, where there are problems."""
    match kind:
        case OneOrMany():
            return _read_one_or_many(kind, node, path, problems)
        case ListOf():
            return _read_list(kind, node, path, problems)
        case MapOf():
            return _read_map(kind, node, path, problems)
        case Section():
            return _read_section(kind, node, path, problems)
        case Events():
            return _read_events(kind, node, path, problems)
        case _:
            return _read_leaf(kind, node, path, problems)


def _read_leaf(kind: JsonValue | Scalar, node: Node, path: str, problems: ProblemList) -> Value:
    if isinstance(kind, JsonValue):
        return read_json(kind, node, path, problems)
    return read_scalar(kind, node, path, problems)


def _read_one_or_many(kind: OneOrMany, node: Node, path: str, problems: ProblemList) -> Value:
    if not isinstance(node, SequenceNode):
        return [read_value(kind.element, node, path, problems)]
    seen: set[str] = set()
    for index, element in enumerate(node.elements):
        if isinstance(element, ScalarNode) and element.text in seen:
            problems.add(element.mark, f"{path}[{index}]", f"`{show_text(element.text)}` is listed twice")
        elif isinstance(element, ScalarNode):
            seen.add(element.text)
    return _read_list(ListOf(kind.element, kind.max_elements), node, path, problems)


def _read_list(kind: ListOf, node: Node, path: str, problems: ProblemList) -> Value:
    if not isinstance(node, SequenceNode):
        problems.add(node.mark, path, f"expected a list, found {name_node(node)}")
        return None
    if not node.elements:
        problems.add(node.mark, path, "is empty")
    if len(node.elements) > kind.max_elements:
        problems.add(node.mark, path, f"has {len(node.elements)} elements; at most {kind.max_elements} are allowed")
        return None
    elements = enumerate(node.elements)
    return [read_value(kind.element, element, f"{path}[{index}]", problems) for index, element in elements]


def _read_map(kind: MapOf, node: Node, path: str, problems: ProblemList) -> Value:
    entries = _entries_of(node, path, kind.may_be_empty, problems)
    if entries is None:
        return None
    if len(entries) > kind.max_entries:
        problems.add(node.mark, path, f"has {len(entries)} {kind.key.noun}s; at most {kind.max_entries} are allowed")
        return None
    values: dict[str, Value] = {}
    for key, entry in entries.items():
        _check_key(kind.key, key, entry, path, problems)
        values[key] = read_value(kind.value, entry.value, join_path(path, key), problems)
    if kind.max_bytes is not None:
        texts = [text for pair in values.items() for text in pair if isinstance(text, str)]
        if sum(len(text.encode(errors="replace")) for text in texts) > kind.max_bytes:
            problems.add(node.mark, path, f"is longer than {kind.max_bytes} bytes in all")
    return values


def _check_key(rule: KeyRule, key: str, entry: Entry, path: str, problems: ProblemList) -> None:
    shown, at = show_text(key), join_path(path, key)
    if not re.fullmatch(rule.pattern, key):
        hint = f"it must match {rule.pattern}"
        problems.add(entry.key_mark, at, f"`{shown}` cannot name a {rule.noun}", hint)
    elif key in rule.reserved:
        problems.add(entry.key_mark, at, f"`{shown}` is reserved")
    elif rule.reserved_prefix and key.startswith(rule.reserved_prefix):
        problems.add(entry.key_mark, at, f"names that begin with `{rule.reserved_prefix}` are reserved")


def _read_section(kind: Section, node: Node, path: str, problems: ProblemList) -> Value:
    entries = _entries_of(node, path, kind.may_be_empty, problems)
    if entries is None:
        return None
    fields = {field.key: field for field in kind.fields}
    values: dict[str, Value] = {}
    excused: set[str] = set()
    for key, entry in entries.items():
        at = join_path(path, key)
        if key in fields:
            values[key] = read_value(fields[key].kind, entry.value, at, problems)
        else:
            refusal = explain_key(kind, key)
            problems.add(entry.key_mark, at, refusal.message, refusal.hint)
            excused.update(refusal.excuses)
    for field in kind.fields:
        if field.required and field.key not in entries and field.key not in excused:
            problems.add(node.mark, path, f"`{field.key}` is missing")
    if excused.isdisjoint(kind.exactly_one):
        _check_exactly_one(kind, entries, node, path, problems)
        _check_company(kind, entries, path, problems)
    return values


def _check_exactly_one(kind: Section, entries: dict[str, Entry], node: Node, path: str, problems: ProblemList) -> None:
    present = [key for key in entries if key in kind.exactly_one]
    if len(present) > 1:
        at = entries[present[1]].key_mark
        names = " and ".join(f"`{key}`" for key in present)
        problems.add(at, path, f"{names} exclude each other", "keep one of them")
    elif kind.exactly_one and not present:
        *others, last = (f"`{key}`" for key in kind.exactly_one)
        problems.add(node.mark, path, f"{', '.join(others)} or {last} is missing")


def _check_company(kind: Section, entries: dict[str, Entry], path: str, problems: ProblemList) -> None:
    for key, others in kind.only_with:
        if key in entries and not any(other in entries for other in others):
            hint = f"it goes with {' or '.join(f'`{other}`' for other in others)}"
            problems.add(entries[key].key_mark, join_path(path, key), f"`{key}` has no meaning here", hint)


def _entries_of(node: Node, path: str, may_be_empty: bool, problems: ProblemList) -> dict[str, Entry] | None:
    if may_be_empty and isinstance(node, ScalarNode) and node.is_null:
        return {}
    if not isinstance(node, MappingNode):
        problems.add(node.mark, path, f"expected a mapping, found {name_node(node)}")
        return None
    if not node.entries and not may_be_empty:
        problems.add(node.mark, path, "is empty")
        return None
    return node.entries


def _read_events(kind: Events, node: Node, path: str, problems: ProblemList) -> Value:
    if isinstance(node, MappingNode):
        return _read_section(kind.section, node, path, problems)
    names = _read_one_or_many(OneOrMany(kind.name, MAX_EVENTS), node, path, problems)
    events: dict[str, Value] = {name: {} for name in names if isinstance(name, str)} if isinstance(names, list) else {}
    return events or None
