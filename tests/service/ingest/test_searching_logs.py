"""The search over the logs of all jobs, through a real ingest, with logs that the scheduler's duty has packed."""

import itertools
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import httpx
import pytest
from anyio import to_thread

from services.ingest import search_around, search_blocks, search_hits
from services.ingest.read_chunks import read_page
from services.scheduler import cut_blocks
from services.scheduler.pack_logs import pack_logs
from shared.logs.split_words import split_words
from tests.cluster import run_cluster
from tests.database import Server
from tests.engine import FAILED, SUCCEEDED, Engine, open_engine
from tests.service.ingest.door import NO_TLS, Door, open_door
from tests.service.ingest.scribe import Scribe, run_of, start_scribe, start_scribes

SEARCH = "/api/v1/logs/search"


async def pack(engine: Engine, **bounds: int) -> None:
    """Pack all logs that can be."""
    while not await pack_logs(engine.scheduler, **bounds):
        pass


async def finish(scribe: Scribe) -> None:
    await scribe.write(b"", step=9)  # lets go what was held back
    await scribe.engine.finish(scribe.executor_id, scribe.job, SUCCEEDED)


async def find(door: Door, q: str, **parameters: object) -> dict[str, Any]:
    async with door.client("viewer") as client:
        answer = await client.get(SEARCH, params={"q": q, **{key: str(value) for key, value in parameters.items()}})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def find_all(door: Door, q: str, **parameters: object) -> list[dict[str, Any]]:
    """Follow the pages to the end."""
    hits: list[dict[str, Any]] = []
    page = await find(door, q, **parameters)
    while True:
        hits += page["hits"]
        if page["next"] is None:
            return hits
        page = await find(door, q, **parameters, cursor=page["next"])


def texts(hits: list[dict[str, Any]]) -> list[str]:
    return [hit["text"] for hit in hits]


async def test_a_hit_tells_whose_line_it_is_and_where(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine, "lint")
    await scribe.write(b"one\ntwo\n")
    await scribe.write(b"\x1b[31mERROR: Connection refused\x1b[0m by peer\n", stderr=True, step=1)
    await scribe.write(b"three\n", step=1)
    await finish(scribe)
    await pack(engine)
    page = await find(door, "REFUSED connection", context=2)
    (hit,) = page["hits"]
    assert page["next"] is None
    assert not page["cut_short"]
    ((number, name),) = engine.sql(
        "select r.number, p.name from run r join pipeline p on p.id = r.pipeline_id where r.id = %s",
        run_of(engine, scribe.job.job_id),
    )
    assert hit["text"] == "ERROR: Connection refused by peer"
    assert [hit["text"][start:end] for start, end in hit["matches"]] == ["Connection", "refused"]
    assert (hit["job_id"], hit["job_key"], hit["job_state"]) == (str(scribe.job.job_id), "lint", "succeeded")
    assert (hit["pipeline"], hit["run_number"], hit["branch"]) == (name, number, "main")
    assert (hit["attempt"], hit["line"], hit["step"], hit["stream"], hit["level"]) == (1, 2, 1, "stderr", "error")
    assert [(near["line"], near["text"]) for near in hit["before"]] == [(0, "one"), (1, "two")]
    assert [(near["line"], near["text"]) for near in hit["after"]] == [(3, "three")]
    assert hit["url"] == f"/jobs/{scribe.job.job_id}?attempt=1#L3"
    assert abs(datetime.fromisoformat(hit["at"]) - datetime.now(UTC)) < timedelta(minutes=5)


LINES = [
    "connection refused by peer",
    "refused connection",
    "Connection: refused",
    "connection was refused",
    "connecting refused",
    "retry connection refused",
    "addr 10.0.0.7 port 80",
    "addr 10.0.7.0 port 80",
    "open /usr/lib/libfoo.so.1",
    "commit 4f3a9b17c0de",
    "Straße nach 東京",
    "max_connections=100",
]
ASKED = {
    "connection refused": {0, 1, 2, 3, 5},
    '"connection refused"': {0, 2, 5},
    "connection refused -retry": {0, 1, 2, 3},
    'refused -"connection refused"': {1, 3, 4},
    "10.0.0.7": {6},
    "/usr/lib/libfoo.so.1": {8},
    "libfoo": {8},
    "4F3A9B17C0DE": {9},
    "strasse": set(),
    "STRAßE": {10},
    "東京": {10},
    "connections": {11},
    "max_connections": {11},
    "connect": set(),
    "absent": set(),
}


@pytest.fixture(scope="module")
async def lines_door(server: Server) -> AsyncIterator[Door]:
    """With a log of `LINES`, which no test changes."""
    async with opened(server) as (door, engine):
        scribe = await start_scribe(engine)
        await scribe.write("\n".join(LINES).encode() + b"\n")
        await finish(scribe)
        await pack(engine)
        yield door


@asynccontextmanager
async def opened(server: Server) -> AsyncIterator[tuple[Door, Engine]]:
    with server.create_database() as database:
        async with open_engine(database) as engine, open_door(database) as door:
            yield door, engine


@pytest.mark.parametrize("q", ASKED)
async def test_words_phrases_and_exclusions_mean_lines(lines_door: Door, q: str) -> None:
    found = {hit["line"] for hit in await find_all(lines_door, q)}
    assert found == ASKED[q]


@pytest.mark.parametrize(
    ("parameters", "field", "says"),
    [
        ({"q": ""}, "q", "at least one word"),
        ({"q": " ... "}, "q", "letters and digits"),
        ({"q": "-retry"}, "q", "only excludes"),
        ({"q": '"open'}, "q", "not closed"),
        ({"q": "a " * 51}, "q", "more than 50 words"),
        ({"q": "a" * 1001}, "q", "1000"),
        ({"q": "a", "limit": "0"}, "limit", ""),
        ({"q": "a", "limit": "201"}, "limit", ""),
        ({"q": "a", "context": "11"}, "context", ""),
        ({"q": "a", "level": "grave"}, "level", "fatal"),
        ({"q": "a", "state": "odd"}, "state", ""),
        ({"q": "a", "run": "7"}, "run", ""),
        ({"q": "a", "since": "2026-11-25T12:00:00"}, "since", "time zone"),
        ({"q": "a", "until": "soon"}, "until", ""),
        ({"q": "a", "branch": "a\0"}, "branch", "NUL"),
        ({"q": "a", "cursor": "x"}, "cursor", "earlier page"),
        ({"q": "a", "cursor": "WyIyMDI2LTAxLTAxVDAwOjAwOjAwWiJd"}, "cursor", "earlier page"),
    ],
)
async def test_what_cannot_be_searched_for_is_told_by_its_field(
    lines_door: Door, parameters: dict[str, str], field: str, says: str
) -> None:
    async with lines_door.client("viewer") as client:
        answer = await client.get(SEARCH, params=parameters)
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert error["field"] == field
    assert says in error["message"]


async def test_searching_needs_a_token(lines_door: Door) -> None:
    assert (await lines_door.get(f"{SEARCH}?q=connection", role=None)).status_code == 401


async def test_filters_leave_what_they_name(door: Door, engine: Engine) -> None:
    (left, right) = await start_scribes(engine, ["left", "right"])
    other = await start_scribe(engine, "left")
    for scribe, word in ((left, b"one"), (right, b"two"), (other, b"three")):
        await scribe.write(b"needle %s\nERROR: needle %s\n" % (word, word))
    await finish(left)
    await finish(other)
    await engine.finish(right.executor_id, right.job, FAILED)
    engine.sql("update run set branch = 'side' where id = %s", run_of(engine, other.job.job_id))
    await pack(engine)
    run = run_of(engine, left.job.job_id)
    ((pipeline,),) = engine.sql("select p.name from run r join pipeline p on p.id = r.pipeline_id where r.id = %s", run)
    start, end = datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC) + timedelta(hours=1)

    async def words(**parameters: object) -> set[str]:
        return {text.split()[-1] for text in texts(await find_all(door, "needle", **parameters))}

    assert await words() == {"one", "two", "three"}
    assert await words(run=run) == {"one", "two"}
    assert await words(pipeline=pipeline) == {"one", "two"}
    assert await words(pipeline="nobody's") == set()
    assert await words(branch="side") == {"three"}
    assert await words(job_key="left") == {"one", "three"}
    assert await words(state="failed") == {"two"}
    assert await words(run=run, job_key="left") == {"one"}
    assert await words(since=start.isoformat(), until=end.isoformat()) == {"one", "two", "three"}
    assert await words(since=end.isoformat()) == set()
    assert await words(until=start.isoformat()) == set()
    assert set(texts(await find_all(door, "needle", level="warning"))) == {
        f"ERROR: needle {word}" for word in ("one", "two", "three")
    }
    assert await words(level="fatal") == set()


async def test_pages_follow_each_other_from_the_newest_to_the_oldest(door: Door, engine: Engine) -> None:
    for key in ("first", "second"):
        scribe = await start_scribe(engine, key)
        await scribe.write(b"".join(b"%s needle %d\n" % (key.encode(), number) for number in range(30)))
        await finish(scribe)
    await pack(engine)
    expected = [f"{key} needle {number}" for key in ("second", "first") for number in reversed(range(30))]
    for limit in (1, 7, 30, 60, 200):
        assert texts(await find_all(door, "needle", limit=limit)) == expected


async def test_a_line_that_goes_over_the_border_of_blocks_is_found_once_and_whole(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    filler = b"filler line that says nothing\n" * 2100
    for number in range(16):  # of 63,000 bytes each, and so no block ends where a line does
        await scribe.write(filler)
        await scribe.write(b"begun %d " % number)
        await scribe.write(b"and noise\n", stderr=True)
        await scribe.write(b"ended %d\n" % number)
    await finish(scribe)
    await pack(engine, page_bytes=300_000)
    ((blocks,),) = engine.sql("select count(*) from log_block")
    assert blocks >= 4
    for limit in (1, 5, 200):
        found = texts(await find_all(door, "begun ended", limit=limit, context=1))
        assert found == [f"begun {number} ended {number}" for number in reversed(range(16))]
    assert texts(await find_all(door, "begun ended", level="error")) == []


async def test_context_comes_from_the_blocks_beside_too(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    lines = [b"line %06d of the log %s" % (number, b"x" * 40) for number in range(12_000)]
    for start in range(0, len(lines), 1000):
        await scribe.write(b"\n".join(lines[start : start + 1000]) + b"\n")
    await finish(scribe)
    await pack(engine)
    borders = [row[0] for row in engine.sql("select first_line from log_block order by first_line")]
    assert len(borders) > 2
    for border in borders:
        for line in {max(0, border - 1), border, min(border + 9, 11_999)}:
            (hit,) = await find_all(door, f"{line:06d}", context=10)
            around = [*hit["before"], *hit["after"]]
            wanted = [n for n in range(max(0, line - 10), min(12_000, line + 11)) if n != line]
            assert [near["line"] for near in around] == wanted
            assert [near["text"].encode() for near in around] == [lines[n] for n in wanted]


async def test_a_word_deep_in_a_line_without_end_is_found(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    await scribe.write(b"before\n")
    for _ in range(16):
        await scribe.write(b"abc " * 16_000)
    await scribe.write(b"needle ")
    for _ in range(8):
        await scribe.write(b"def " * 16_000)
    await scribe.write(b"\nafter\n")
    await finish(scribe)
    await pack(engine)
    (hit,) = await find_all(door, "needle")
    assert hit["line"] == 1
    assert hit["text"][slice(*hit["matches"][0])] == "needle"
    assert len(hit["text"]) <= 1000


async def test_what_is_deleted_is_not_found(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    await scribe.write(b"needle\n")
    await finish(scribe)
    await pack(engine)
    assert len(await find_all(door, "needle")) == 1
    run = run_of(engine, scribe.job.job_id)
    # As when the rows of the log are not removed yet.
    engine.sql("create table kept as select * from log_block")
    engine.sql("update run set state = 'succeeded', finished_at = now() where id = %s", run)
    engine.sql("delete from run where id = %s", run)
    engine.sql("delete from log_block")
    engine.sql("insert into log_block select * from kept")
    assert await find_all(door, "needle") == []


def spread_over_days(engine: Engine, dice: random.Random) -> None:
    """Let the logs be of days that lie weeks apart."""
    for (job_id,) in engine.sql("select distinct job_id from log_block"):
        days = dice.randrange(0, 60)
        engine.sql(
            "select make_log_block_partition(retention, day - %s) from log_block where job_id = %s", days, job_id
        )
        engine.sql(
            "update log_block set day = day - %s, last_at = last_at - make_interval(days => %s) where job_id = %s",
            days,
            days,
            job_id,
        )
        engine.sql("update attempt set log_day = log_day - %s where job_id = %s", days, job_id)


def means(line: str, words: list[str], phrase: bool, excluded: str | None) -> bool:
    """Whether a line is meant, found out the plain way."""
    found = split_words(line)
    if excluded in found:
        return False
    if phrase:
        return any(found[place : place + len(words)] == words for place in range(len(found)))
    return all(word in found for word in words)


# In many small looks: through the newest blocks, by the index, and with every answer cut short.
SMALL_LOOKS = {"_FIRST_ROWS": 2, "_MOST_ROWS": 3, "_INDEXED_ROWS": 2}
WAYS = {
    "as it comes": (SMALL_LOOKS, 2.0),
    "by the index": ({**SMALL_LOOKS, "_RARE": 0}, 2.0),
    "cut short": (SMALL_LOOKS, -1.0),
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_search_finds_what_reading_every_line_finds(
    server: Server, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cut_blocks, "BLOCK_CHUNKS", 7)
    constants, budget_seconds = WAYS[way]
    monkeypatch.setattr(search_hits, "BUDGET_SECONDS", budget_seconds)
    for name, value in constants.items():
        monkeypatch.setattr(search_blocks, name, value)
    dice = random.Random(way)
    vocabulary = [f"{word}{n or ''}" for word in ("alpha", "béta", "GAMMA", "delta") for n in range(4)]
    printed: list[list[str]] = []
    async with opened(server) as (door, engine):
        for _ in range(6):
            scribe = await start_scribe(engine)
            whole: dict[bool, list[str]] = {False: [], True: []}
            for _ in range(dice.randrange(1, 60)):
                stderr = dice.random() < 0.3
                line = dice.choice([" ", "-", "_", "::", "\x1b[1m"]).join(
                    dice.choice(vocabulary) for _ in range(dice.randrange(0, 6))
                )
                whole[stderr].append(line.replace("\x1b[1m", ""))
                data, cut = line.encode() + b"\n", dice.randrange(0, len(line) + 1)
                for piece in filter(None, (data[:cut], data[cut:])):
                    await scribe.write(piece, stderr=stderr)
            await finish(scribe)
            printed.append(whole[False] + whole[True])
        await pack(engine, page_rows=40)
        spread_over_days(engine, dice)
        lines = list(itertools.chain.from_iterable(printed))
        for _ in range(12):
            words = [dice.choice(vocabulary).lower() for _ in range(dice.randrange(1, 3))]
            phrase = dice.random() < 0.3
            excluded = dice.choice(vocabulary).lower() if dice.random() < 0.3 else None
            q = (f'"{" ".join(words)}"' if phrase else " ".join(words)) + (f" -{excluded}" if excluded else "")

            hits = await find_all(door, q, limit=dice.choice([1, 3, 50]))
            assert sorted(texts(hits)) == sorted(line for line in lines if means(line, words, phrase, excluded)), q
            assert len({(hit["job_id"], hit["line"]) for hit in hits}) == len(hits)


async def test_an_answer_that_is_cut_short_says_so_and_leads_on(
    door: Door, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("first", "second", "third"):
        scribe = await start_scribe(engine, key)
        await scribe.write(b"alpha\nbeta\nneedle\n")
        await finish(scribe)
    await pack(engine)
    monkeypatch.setattr(search_hits, "BUDGET_SECONDS", -1)
    monkeypatch.setattr(search_hits, "_FIRST_GROUP", 1)
    page = await find(door, "alpha beta")
    assert (page["hits"], page["cut_short"]) == ([], True)
    assert datetime.fromisoformat(page["searched_back_to"]) < datetime.now(UTC)
    assert page["next"] is not None
    assert await find_all(door, "alpha beta") == []
    assert len(await find_all(door, "needle")) == 3
    page = await find(door, "needle", limit=1)
    assert (len(page["hits"]), page["cut_short"]) == (1, False)


async def test_a_line_is_found_once_a_running_scheduler_has_packed_its_log(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    await scribe.write(b"needle\n")
    headers = {"authorization": f"Bearer {door.tokens['viewer']}"}

    def is_found() -> bool:
        with httpx.Client(base_url=door.url, headers=headers, trust_env=False, verify=NO_TLS) as client:
            return bool(client.get(SEARCH, params={"q": "needle"}).json()["hits"])

    with run_cluster(door.database) as cluster:
        await to_thread.run_sync(cluster.start, "scheduler")
        assert not await to_thread.run_sync(is_found)
        await finish(scribe)
        await to_thread.run_sync(cluster.wait_until, "the line is found", is_found)


async def test_many_search_at_once_and_all_are_answered(lines_door: Door) -> None:
    found: list[int] = []

    async def one() -> None:
        found.append(len(await find_all(lines_door, "refused")))

    async with anyio.create_task_group() as tasks:
        for _ in range(15):
            tasks.start_soon(one)
    assert found == [6] * 15


async def test_a_line_over_many_blocks_is_followed_back_to_its_beginning_once(
    door: Door, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    scribe = await start_scribe(engine)
    await scribe.write(b"first\n")
    generator = random.Random(7)
    for _ in range(40):
        await scribe.write(b"needle " + generator.randbytes(30_000).hex().encode() + b" ")
    await scribe.write(b"\nlast\n")
    await finish(scribe)
    await pack(engine)
    ((blocks,),) = engine.sql("select count(*) from log_block")
    looks = itertools.count()

    async def counted(*arguments: Any) -> Any:
        next(looks)
        return await read_page(*arguments)

    monkeypatch.setattr(search_around, "read_page", counted)
    hits = await find_all(door, "needle")
    assert [hit["line"] for hit in hits] == [1]
    assert blocks > 8
    assert next(looks) <= blocks
