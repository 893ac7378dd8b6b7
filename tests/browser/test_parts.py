"""Parts of the viewer that need no page, held against the plain way: many cases, the same ones each time."""

import random
from itertools import pairwise
from typing import Any

import pytest

from tests.browser.conftest import Desk
from tests.browser.site import Site

SEEDS = range(60)


def make_sections(chance: random.Random) -> tuple[list[dict[str, Any]], int]:
    """Return steps, and groups within them, some within others, some without lines; and how many lines there are."""
    sections: list[dict[str, Any]] = []
    position = chance.randrange(3)

    def add(kind: str, first: int, end: int, depth: int) -> None:
        name = f"{kind}{len(sections)}"
        sections.append(
            {"id": name, "kind": kind, "name": name, "from": first, "to": end, "opens": chance.random() < 0.6}
        )
        inner = first
        while depth < 3 and inner < end and chance.random() < 0.6:
            start = chance.randint(inner, end - 1)
            stop = chance.randint(start + 1, end)
            add("group", start, stop, depth + 1)
            inner = stop

    for _ in range(chance.randrange(4)):
        end = position + chance.choice([0, 1, 2, 10, 30])
        add("step", position, end, 0)
        position = end
    return sections, position + chance.randrange(3)


def plain_rows(sections: list[dict[str, Any]], total: int) -> list[str]:
    """Return what a reader sees, row by row, in the simplest way."""
    rows: list[str] = []
    for number in range(total + 1):
        for section in sections:
            around = [other for other in sections if other is not section and holds(other, section, sections)]
            if section["from"] == number and all(other["opens"] for other in around):
                rows.append(section["id"])
        if number < total and all(
            section["opens"] for section in sections if section["from"] <= number < section["to"]
        ):
            rows.append(str(number))
    return rows


def holds(outer: dict[str, Any], section: dict[str, Any], sections: list[dict[str, Any]]) -> bool:
    return (
        sections.index(outer) < sections.index(section)
        and outer["from"] <= section["from"] < outer["to"]
        and section["kind"] == "group"
    )


@pytest.mark.parametrize("first_seed", SEEDS[::20])
def test_rows_are_what_is_unfolded_in_order(desk: Desk, site: Site, first_seed: int) -> None:
    cases = [make_sections(random.Random(seed)) for seed in range(first_seed, first_seed + 20)]
    page = desk.page()
    page.goto(f"{site.url}/runs")
    found = page.evaluate(
        """async (cases) => {
            const { FoldedRows } = await import("/static/test/log_folds.js");
            return cases.map(([sections, total]) => {
                const rows = new FoldedRows(new Map());
                rows.update(sections, total);
                const seen = [];
                const wrong = [];
                for (let row = 0; row < rows.count; row += 1) {
                    const what = rows.at(row);
                    seen.push(what.head ? what.head.id : String(what.number));
                    if (!what.head && rows.rowOf(what.number) !== row) wrong.push(what.number);
                    if (what.head && rows.rowOfHead(what.head) !== row) wrong.push(what.head.id);
                }
                for (let number = 0; number < total; number += 1) {
                    if (rows.rowOf(number) === null) wrong.push(`lost ${number}`);
                }
                for (let number = 0; number < total; number += 1) {
                    rows.reveal(number);
                    if (rows.at(rows.rowOf(number)).number !== number) wrong.push(`hidden ${number}`);
                }
                return [seen, wrong, rows.at(rows.count)];
            });
        }""",
        cases,
    )
    for (sections, total), (seen, wrong, beyond) in zip(cases, found, strict=True):
        assert seen == plain_rows(sections, total), sections
        assert wrong == []
        assert beyond is None


def make_chunks(chance: random.Random) -> tuple[list[dict[str, Any]], dict[int, str]]:
    """Return chunks of two streams as an executor cuts them, and the lines that they amount to."""
    chunks: list[dict[str, Any]] = []
    lines: dict[int, str] = {}
    begun: dict[str, int] = {}
    step = 0
    for _ in range(chance.randrange(1, 30)):
        if chance.random() < 0.1:
            step += 1
            begun.clear()
        stream = chance.choice(["stdout", "stderr"])
        text = "".join(chance.choice(["a", "b", "é", " ", "\n", "\n"]) for _ in range(chance.randrange(1, 12)))
        chunk = {
            "epoch": 1, "step": step, "stream": stream, "first_line": len(lines), "continues": stream in begun,
            "at": "2026-01-01T00:00:00Z", "line_offsets_ms": [0], "spans": cut_spans(chance, text),
        }  # fmt: skip
        for letter in text:
            if letter == "\n":
                if stream not in begun:
                    lines[len(lines)] = ""
                begun.pop(stream, None)
                continue
            number = begun.setdefault(stream, len(lines))
            lines[number] = lines.get(number, "") + letter
        chunks.append(chunk)
    return chunks, lines


def cut_spans(chance: random.Random, text: str) -> list[tuple[str, str]]:
    edges = sorted({0, len(text), *(chance.randrange(len(text) + 1) for _ in range(2))})
    return [("", text[start:end]) for start, end in pairwise(edges)]


def test_lines_that_are_heard_in_pieces_are_whole(desk: Desk, site: Site) -> None:
    cases = [make_chunks(random.Random(seed)) for seed in SEEDS]
    page = desk.page()
    page.goto(f"{site.url}/runs")
    found = page.evaluate(
        """async (cases) => {
            const { LiveLines } = await import("/static/test/log_live.js");
            return cases.map((chunks) => {
                const lines = new Map();
                const put = (line) => lines.set(line.number, line);
                const live = new LiveLines({ put, lost: () => lines.set(-1, null) });
                for (const chunk of chunks) live.add(chunk);
                return [...lines.values()].map((line) => [line.number, line.spans.map((span) => span[1]).join("")]);
            });
        }""",
        [chunks for chunks, _ in cases],
    )
    for (chunks, lines), shown in zip(cases, found, strict=True):
        assert dict(shown) == lines, chunks


def test_a_line_without_an_end_takes_bounded_memory(desk: Desk, site: Site) -> None:
    page = desk.page()
    page.goto(f"{site.url}/runs")
    size, omitted, end = page.evaluate(
        """async () => {
            const { LiveLines } = await import("/static/test/log_live.js");
            let line;
            const live = new LiveLines({ put: (begun) => { line = begun; }, lost: () => {} });
            for (let count = 0; count < 1000; count += 1) {
                live.add({
                    epoch: 1, step: 0, stream: "stdout", first_line: count ? 1 : 0, continues: count > 0,
                    at: "2026-01-01T00:00:00Z", line_offsets_ms: [0],
                    spans: [["", "x".repeat(9990) + String(count).padStart(10)]],
                });
            }
            const text = line.spans.map((span) => span[1]).join("");
            return [text.length, line.omitted, text.slice(-10)];
        }"""
    )
    assert size <= 20_000
    assert size + omitted == 10_000_000
    assert end.strip() == "999"
