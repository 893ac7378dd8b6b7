# ruff: noqa: E501 - one case a line
"""Files that are no YAML, or more YAML than a pipeline file may be. With both of PyYAML's parsers."""

import pytest
import yaml

from shared.pipeline import parse_events
from tests.unit.pipeline.explain import JOBS, explain


@pytest.fixture(params=[yaml.CSafeLoader, yaml.SafeLoader], ids=["c", "python"], autouse=True)
def _parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both parsers; wheels of PyYAML carry the one in C, a build from source may not."""
    monkeypatch.setattr(parse_events, "EVENT_LOADER", request.param)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "f:1:1: the file is empty; it needs `on` and `jobs`"),
        ("\n# nothing\n", "f:1:1: the file is empty; it needs `on` and `jobs`"),
        ("---\n...\n", "f:1:1: the file is empty; it needs `on` and `jobs`"),
        ("on: push\n\tjobs: x", "f:2:1: a tab cannot stand here; indent with spaces"),
        ("on: push\njobs:\n\ta: x", "f:3:1: a tab cannot stand here; indent with spaces"),
        ("on: @push", "f:1:5: text cannot begin with `@`; put it in quotes"),
        ("on: push\nname: \"never closed\n\njobs: x", "f:2:7: the quote that opens here is never closed"),
        ("on: push\njobs: [a, b\nname: x", "f:3:5: expected `,` or the closing bracket; the bracket opens at line 2"),
        ("a: b: c", "f:1:5: `:` cannot stand here; put text that holds `: ` in quotes, or check the indentation of this line and of those above it"),
        ("a: 1\nb\nc: 3", "f:2:1: expected `key: value`; check the indentation of this line and of those above it"),
        ("a:\n  x: 1\n y: 2\n", "f:3:2: this line does not fit into what it stands in; check the indentation of this line and of those above it"),
        ("on: {push: {branches: [**]}}", "f:1:24: `*` cannot stand here; put a glob that begins with `*` in quotes"),
        ("a: - b", "f:1:4: a list cannot begin here; check the indentation of this line and of those above it"),
        ("a: \"\\q\"", "f:1:4: the text that opens here has an escape that YAML does not know; within double quotes a backslash is written twice; within single quotes it stands for itself"),
        ("a: *b", "f:1:4: a: `*b` names no anchor; `&b` must stand above it; a glob must stand in quotes"),
        ("a: &a [*a]", "f:1:8: a[0]: `*a` stands within what it names"),
        ("&a a: 1\n*a : 2", "f:2:1: a key cannot be an alias"),
        ("? [a]\n: 1", "f:1:3: a key must be text"),
        ("{{a: b}: c}", "f:1:2: a key must be text"),
        (f"on: push\n---\n{JOBS}", "f:2:1: the file holds more than one document; keep one, without `---`"),
        ("on: push\n...\nmore", "f:3:1: the file holds more than one document; keep one, without `---`"),
        ("%YAML 1.1\n---\non: push", "f:1:1: directives are not supported; delete this line"),
        ("# x\n" + "%TAG !a! b\n" * 3 + "---\n", "f:2:1: directives are not supported; delete this line"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_its_place(text: str, line: str) -> None:
    assert explain(text)[0] == line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"on: push\non: push\n{JOBS}", "f:2:1: on: duplicate key; first at line 1"),
        ("on: push\njobs:\n  a: {run: x}\n  'a': {run: y}\n", "f:4:3: jobs.a: duplicate key; first at line 3"),
        ("on: push\njobs: {a: {run: x, run: y}}", "f:2:20: jobs.a.run: duplicate key; first at line 2"),
        ("on: push\njobs: {a: {run: x, env: {1: a, '1': b}}}", "f:2:32: jobs.a.env.1: duplicate key; first at line 2"),
        ("on: push\njobs:\n  a: &a {run: x}\n  b: {<<: *a}", "f:4:7: jobs.b.<<: merge keys are not supported; YAML 1.2 has none; write the keys out, or let `*alias` stand for a whole value"),
        (f"on: !!str push\n{JOBS}", "f:1:5: on: tags such as `!!str` are not supported; the field decides the type"),
        (f"on: !python/object:os.system push\n{JOBS}", "f:1:5: on: tags such as `!python/object:os.system` are not supported; the field decides the type"),
        (f"on:\n  ?\n  : x\n{JOBS}", "f:2:4: on: a key is missing before this `:`"),
        (f"on: push\nname: \"a\\0b\"\n{JOBS}", "f:2:7: name: text cannot hold the character U+0000"),
    ],
)  # fmt: skip
def test_what_yaml_allows_and_howdah_does_not_is_refused(text: str, line: str) -> None:
    assert line in explain(text)


@pytest.mark.parametrize(
    ("source", "line"),
    [
        (b"on: push\nn: \xff", "f:2:4: not UTF-8: the byte 0xff fits no character; save the file as UTF-8"),
        (b"\xff\xfeo\0n\0", "f:1:1: not UTF-8: the byte 0xff fits no character; save the file as UTF-8"),
        ("é: \r\né\0".encode(), "f:2:2: the character U+0000 is not allowed in the file"),
        (b"a: \x1b[31m", 'f:1:4: the character U+001B is not allowed in the file; within double quotes it can be written as "\\u001b"'),
        ("a: x\u2028y".encode(), 'f:1:5: the character U+2028 is not allowed in the file; within double quotes it can be written as "\\u2028"'),
        ("a: x\u0085y".encode(), 'f:1:5: the character U+0085 is not allowed in the file; within double quotes it can be written as "\\u0085"'),
        (b" " * (256 * 1024 + 1), "f:1:1: the file has 262145 bytes; at most 262144 are allowed"),
    ],
)  # fmt: skip
def test_bytes_that_are_no_text_are_refused_with_their_place(source: bytes, line: str) -> None:
    assert explain(source) == [line]
