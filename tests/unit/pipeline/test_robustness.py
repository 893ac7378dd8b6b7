"""Whatever the bytes are: an answer, in bounded time and memory, or `PipelineFileError`; nothing else."""

from collections.abc import Iterator

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.pipeline import compose_nodes, parse_events
from shared.pipeline.definition import Pipeline
from shared.pipeline.limits import MAX_DEPTH
from shared.pipeline.load import load_pipeline
from shared.pipeline.problem import PipelineFileError, ProblemList
from tests.unit.pipeline.explain import explain

_FUZZ = settings(deadline=None, max_examples=150)

_BOMB = (
    "a: &a ["
    + "x," * 9
    + "]\n"
    + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [" + f"*{chr(97 + i)}," * 9 + "]\n" for i in range(20))
)

_HOSTILE = {
    "10,000 levels of lists": "[" * 10_000,
    "100,000 levels of mappings": "{" * 100_000,
    "120,000 levels of dashes": "- " * 120_000,
    "nested keys": "? " * 100_000,
    "alias bomb": _BOMB,
    "long text, repeated": "a: &a " + "x" * 60_000 + "\nb: [" + "*a," * 50_000 + "]",
    "huge scalar": "on: push\nname: " + "x" * 250_000,
    "huge key": "x" * 250_000 + ": 1",
    "many keys": "".join(f"k{i}: v\n" for i in range(20_000)),
    "many duplicates": "a: 1\n" * 50_000,
    "many escapes": 'on: push\nname: "' + "\\n" * 120_000 + '"',
    "many documents": "---\n" * 60_000,
    "many directives": "%TAG !a! b\n" * 20_000,
    "directives after the end": "a: 1\n...\n" + "%TAG !a! b\n" * 20_000,
    "many anchors": "- &a x\n" * 30_000,
    "only spaces": " " * 250_000,
    "only tabs": "\t" * 250_000,
    "only line ends": "\r" * 250_000,
    "only colons": ":" * 250_000,
    "only quotes": "'" * 250_000,
    "only comments": "#\n" * 120_000,
}


@pytest.mark.parametrize("text", _HOSTILE.values(), ids=_HOSTILE.keys())
def test_hostile_files_are_refused(text: str) -> None:
    assert explain(text)


def test_aliases_are_counted_before_anything_is_built_of_them() -> None:
    assert explain(_BOMB)[0].endswith("the aliases of this file stand for too much text")


def test_depth_through_aliases_counts_too() -> None:
    text = "a: &a " + "[" * 20 + "]" * 20 + "\nb: " + "[" * 15 + "*a" + "]" * 15
    assert explain(text) == ["f:2:19: b" + "[0]" * 15 + ": nested more than 32 levels deep"]


def test_reading_stops_where_the_depth_is_exceeded(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = 0

    def count(text: str, problems: ProblemList) -> Iterator[yaml.Event]:
        nonlocal seen
        for event in parse_events.parse_events(text, problems):
            seen += 1
            yield event

    monkeypatch.setattr(compose_nodes, "parse_events", count)
    explain("[" * 10_000)
    assert seen <= MAX_DEPTH + 3


def _load(source: bytes) -> None:
    refusal = None
    try:
        pipeline = load_pipeline(source)
    except PipelineFileError as error:
        refusal = error
    if refusal:
        assert refusal.problems
        assert str(refusal).encode()
    else:
        assert msgspec.json.decode(msgspec.json.encode(pipeline), type=Pipeline) == pipeline


@_FUZZ
@given(st.binary(max_size=200))
def test_any_bytes_are_loaded_or_refused(source: bytes) -> None:
    _load(source)


@_FUZZ
@given(st.text(max_size=200))
def test_any_text_is_loaded_or_refused(text: str) -> None:
    _load(text.encode(errors="ignore"))


_PIECES = [
    "on",
    "push",
    "jobs",
    "run",
    "needs",
    "steps",
    "env",
    "when",
    "branch",
    "a",
    "b",
    "1",
    "2m",
    "~",
    "<<",
    "'",
    '"',
    ": ",
    ":",
    "- ",
    "? ",
    "[",
    "]",
    "{",
    "}",
    ", ",
    "\n",
    "\n  ",
    "\n    ",
    "&a ",
    "*a",
    "!x ",
    "|\n",
    ">-\n",
    "#",
    "%",
    "---\n",
    "...\n",
    "\\u",
    '"\\ud800"',
    '"\\UFFFFFFFF"',
    '"\\0"',
    "\t",
    "\r",
    "\ufeff",
    "${x}",
    "**",
]


@pytest.mark.parametrize("loader", [yaml.CSafeLoader, yaml.SafeLoader])
def test_any_mixture_of_yaml_is_loaded_or_refused(loader: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse_events, "EVENT_LOADER", loader)

    @_FUZZ
    @given(st.lists(st.sampled_from(_PIECES), max_size=40).map("".join))
    def check(text: str) -> None:
        _load(text.encode())

    check()
