"""The search within the log of one job: by text and by regular expression, live and finished."""

import random
import re
from typing import Any

import anyio
import pytest

from tests.engine import SUCCEEDED, Engine
from tests.service.ingest.door import Door
from tests.service.ingest.scribe import Scribe, claim_again, start_scribe
from tests.service.ingest.test_searching_logs import finish, pack
from tests.service.ingest.test_streaming_logs import HANDED_BACK


def path_of(scribe: Scribe) -> str:
    return f"/api/v1/jobs/{scribe.job.job_id}/log/search"


async def search(door: Door, scribe: Scribe, q: str, **parameters: object) -> dict[str, Any]:
    async with door.client("viewer") as client:
        sent = {"q": q, **{name: str(value).lower() for name, value in parameters.items()}}
        answer = await client.get(path_of(scribe), params=sent)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def search_all(door: Door, scribe: Scribe, q: str, **parameters: object) -> list[dict[str, Any]]:
    """Follow the answers to the end."""
    hits: list[dict[str, Any]] = []
    answer = await search(door, scribe, q, **parameters)
    while True:
        hits += answer["hits"]
        if answer["next_after"] is None:
            return hits
        answer = await search(door, scribe, q, **parameters, after_line=answer["next_after"])


async def lines_of(door: Door, scribe: Scribe, q: str, **parameters: object) -> list[int]:
    return [hit["line"] for hit in await search_all(door, scribe, q, **parameters)]


async def test_texts_and_expressions_find_lines_across_chunks_streams_and_blocks(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    await scribe.write(b"First lin")
    await scribe.write(b"error: one\n", stderr=True)
    await scribe.write(b"e ends here\n\x1b[32mok\x1b[0m: caf\xc3\xa9 ")
    await scribe.write(b"\xe2\x82\xac\nWARN  two\n")
    await scribe.write(b"last, without an end")

    async def check() -> None:
        assert await lines_of(door, scribe, "line ends") == [0]
        assert await lines_of(door, scribe, "ERROR: ONE") == [1]
        assert await lines_of(door, scribe, "ERROR", case=True) == []
        assert await lines_of(door, scribe, "ok: café €") == [2]
        assert await lines_of(door, scribe, "without an end") == [4]
        assert await lines_of(door, scribe, r"^first .*ends?", regex=True) == [0]
        assert await lines_of(door, scribe, r"^First", regex=True, case=True) == [0]
        assert await lines_of(door, scribe, r"^\w+:? +(one|two)$", regex=True) == [1, 3]
        assert await lines_of(door, scribe, r"\Aerror|end\z", regex=True) == [1, 4]
        assert await lines_of(door, scribe, r"(?-m:^WARN)", regex=True) == [3]
        assert await lines_of(door, scribe, r"here[\s\S]*ok", regex=True) == []
        assert await lines_of(door, scribe, r"x*", regex=True) == [0, 1, 2, 3, 4]
        (hit,) = await search_all(door, scribe, "€|CAFÉ", regex=True)
        assert hit["text"] == "ok: café €"
        assert hit["matches"] == [[4, 8], [9, 10]]
        assert (hit["stream"], hit["step"], hit["omitted_before"]) == ("stdout", 0, 0)
        (hit,) = await search_all(door, scribe, "one")
        assert (hit["stream"], hit["level"]) == ("stderr", "error")

    await check()
    await finish(scribe)
    await check()
    await pack(engine)
    engine.sql("delete from log_chunk")
    await check()


async def test_a_search_goes_on_behind_a_line_and_answers_no_more_than_asked_for(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    for start in range(0, 3000, 100):
        await scribe.write(b"open and ")
        await scribe.write(b"".join(b"needle %d\n" % n for n in range(start, start + 100)), stderr=True)
        await scribe.write(b"closed needle\n")
    await finish(scribe)
    answer = await search(door, scribe, "needle", limit=10)
    assert [hit["line"] for hit in answer["hits"]] == list(range(10))
    assert (answer["next_after"], answer["total_lines"], answer["ended"], answer["attempt"]) == (9, 3030, True, 1)
    answer = await search(door, scribe, "needle", limit=1000, after_line=3028)
    assert [hit["line"] for hit in answer["hits"]] == [3029]
    assert answer["next_after"] is None
    for limit in (97, 1000):
        assert await lines_of(door, scribe, "needle", limit=limit) == list(range(3030))
    assert await lines_of(door, scribe, "needle", after_line=5000) == []


@pytest.mark.parametrize("packed", [False, True])
async def test_what_is_found_is_what_reading_every_line_finds(door: Door, engine: Engine, packed: bool) -> None:
    dice = random.Random(packed)
    scribe = await start_scribe(engine)
    alphabet = "abcABC .é\u0130"
    texts: list[str] = []
    for _ in range(40):
        count = dice.randrange(1, 40)
        lines = ["".join(dice.choices(alphabet, k=dice.randrange(0, 12))) for _ in range(count)]
        texts += lines
        data = "".join(f"{line}\n" for line in lines).encode()
        cut = dice.randrange(len(data))
        for piece in filter(None, (data[:cut], data[cut:])):
            await scribe.write(piece)
    await finish(scribe)
    if packed:
        await pack(engine)
        engine.sql("delete from log_chunk")
    for q in ("a", "ab", "B", " .", "é", "É", "aB", "i", "\u0130", "abc"):
        found = [line for line, text in enumerate(texts) if q.lower() in text.lower()]
        assert await lines_of(door, scribe, q, limit=dice.choice([7, 1000])) == found, q
        found = [line for line, text in enumerate(texts) if q in text]
        assert await lines_of(door, scribe, q, case=True) == found, q
    for q in ("^a", "b$", "[ab]{3}", "a.c", "é+", "^$", "(a|b)c?A", r"^[^a]*$"):
        found = [line for line, text in enumerate(texts) if re.search(q, text)]
        assert await lines_of(door, scribe, q, regex=True, case=True, limit=dice.choice([7, 1000])) == found, q


@pytest.mark.parametrize(
    ("parameters", "field", "says"),
    [
        ({"q": "a(b", "regex": "true"}, "q", "missing )"),
        ({"q": "ab[z-a]", "regex": "true"}, "q", "invalid character class range at character 4, `z-a`"),
        ({"q": "a)|(b", "regex": "true"}, "q", "unexpected )"),
        ({"q": r"(a)\1", "regex": "true"}, "q", r"invalid escape sequence at character 4, `\1`"),
        ({"q": "(?<=a)b", "regex": "true"}, "q", "(?<="),
        ({"q": "(" * 999 + ")", "regex": "true"}, "q", "cannot be read"),
        ({"q": r"[\pL\pN]{1000}", "regex": "true"}, "q", "too large"),
        ({"q": r"(.{9}x){90}", "regex": "true"}, "q", "too large"),
        ({"q": "a\nb"}, "q", "line break"),
        ({"q": ""}, "q", ""),
        ({"q": "a" * 1001}, "q", "1000"),
        ({"q": "a", "limit": "1001"}, "limit", ""),
        ({"q": "a", "after_line": "-2"}, "after_line", ""),
        ({"q": "a", "attempt": "0"}, "attempt", ""),
        ({"q": "a", "case": "maybe"}, "case", ""),
    ],
)
async def test_what_cannot_be_looked_for_is_told_by_its_field(
    shared_door: Door, parameters: dict[str, str], field: str, says: str
) -> None:
    async with shared_door.client("viewer") as client:
        answer = await client.get("/api/v1/jobs/01900000-0000-7000-8000-000000000000/log/search", params=parameters)
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert error["field"] == field
    assert says in error["message"]


async def test_a_log_that_is_not_there_is_told_from_one_that_is_empty(door: Door, engine: Engine) -> None:
    answer = await door.get("/api/v1/jobs/01900000-0000-7000-8000-000000000000/log/search?q=a")
    assert answer.status_code == 404
    scribe = await start_scribe(engine)
    assert (await search(door, scribe, "a"))["hits"] == []
    async with door.client("viewer") as client:
        assert (await client.get(path_of(scribe), params={"q": "a", "attempt": "7"})).status_code == 404
    assert (await door.get(f"{path_of(scribe)}?q=a", role=None)).status_code == 401
    await scribe.write(b"abc\n")
    engine.sql("delete from log_chunk")
    assert (await door.get(f"{path_of(scribe)}?q=a")).status_code == 410


async def test_each_attempt_is_searched_by_itself(door: Door, engine: Engine) -> None:
    first = await start_scribe(engine)
    await first.write(b"needle first\n")
    await engine.finish(first.executor_id, first.job, HANDED_BACK)
    second = await claim_again(engine, first)
    await second.write(b"nothing\nneedle second\n")
    await engine.finish(second.executor_id, second.job, SUCCEEDED)
    assert await lines_of(door, first, "needle") == [1]
    assert await lines_of(door, first, "needle", attempt=1) == [0]


async def test_a_line_without_end_is_searched_within_bounds(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    await scribe.write(b"before needle\n")
    for _ in range(20):
        await scribe.write(b"x" * 60_000 + b" ")
    await scribe.write(b"deep needle")
    for _ in range(12):
        await scribe.write(b"y" * 60_000)
    await scribe.write(b"\nbehind needle\n")
    await finish(scribe)
    for is_packed in (False, True):
        if is_packed:
            await pack(engine)
        hits = await search_all(door, scribe, "needle")
        assert [hit["line"] for hit in hits] == [0, 1, 2]
        assert "deep needle" in hits[1]["text"]
        assert len(hits[1]["text"]) <= 1000


async def test_a_pattern_that_backtracking_would_never_end_delays_nobody(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    for _ in range(20):
        await scribe.write(b"a" * 1000 + b"\n" + b"ab" * 20_000 + b"\n")
    await finish(scribe)
    answered: list[str] = []

    async def look() -> None:
        assert await lines_of(door, scribe, r"(a*)*(a|b)*c", regex=True) == []
        assert await lines_of(door, scribe, r"a.{300}b.{300}[cd]$", regex=True) == []
        answered.append("search")

    async def ask() -> None:
        assert (await door.get("/health", role=None)).status_code == 200
        answered.append("health")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(look)
        tasks.start_soon(ask)
    assert answered == ["health", "search"]
