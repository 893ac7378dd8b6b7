"""Lines by number, ranges of bytes and outlines: the same wherever the log is, and only what is asked for is read."""

import hashlib
import random
from typing import Any

import pytest

from services.ingest.read_lines import MOST_LINES
from tests.engine import FAILED, SUCCEEDED, Engine
from tests.service.ingest.door import Door
from tests.service.ingest.packing import pack, pack_a_stretch, remove_chunks
from tests.service.ingest.scribe import Scribe, start_scribe

PLACES = ["rows", "packed in part", "packed", "compact"]


def address(scribe: Scribe, rest: str) -> str:
    return f"/api/v1/jobs/{scribe.job.job_id}/log{rest}"


async def move_to(place: str, engine: Engine, scribe: Scribe) -> None:
    """End the job, and have its log where it is to be read from."""
    await engine.finish(scribe.executor_id, scribe.job, SUCCEEDED)
    if place == "packed in part":
        assert await pack_a_stretch(engine, scribe.job.job_id, page_rows=40)
        ((packed, last),) = engine.sql("select packed_seq, last_seq from attempt")
        assert 0 < packed < last
    elif place != "rows":
        await pack(engine, scribe.job.job_id, page_rows=40)
        if place == "compact":
            remove_chunks(engine)


async def write_much(scribe: Scribe) -> bytes:
    """Write lines of both streams, some of them in pieces; returns every byte."""
    written = b""
    generator = random.Random(7)
    for number in range(300):
        level = generator.choice(["INFO", "ERROR", "WARNING", "so"])
        for piece in (f"{level}: line {number} ".encode(), b"x" * generator.randrange(4000), b" end\n"):
            written += piece
            await scribe.write(piece, stderr=number % 3 == 0)
    return written


async def lines(door: Door, scribe: Scribe, query: str) -> dict[str, Any]:
    answer = await door.get(address(scribe, f"/lines{query}"))
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.mark.parametrize("place", PLACES)
async def test_everything_is_the_same_wherever_the_log_is(door: Door, engine: Engine, place: str) -> None:
    scribe = await start_scribe(engine)
    written = await write_much(scribe)
    await move_to(place, engine, scribe)

    answer = await door.get(address(scribe, "/raw"))
    assert hashlib.sha256(answer.content).digest() == hashlib.sha256(written).digest()
    assert int(answer.headers["content-length"]) == len(written)
    etag = answer.headers["etag"]

    generator = random.Random(3)
    for _ in range(20):
        start = generator.randrange(len(written))
        end = min(len(written), start + generator.randrange(1, 200_000))
        part = await door.get(address(scribe, "/raw"), range=f"bytes={start}-{end - 1}")
        assert part.status_code == 206
        assert part.content == written[start:end]
        assert part.headers["content-range"] == f"bytes {start}-{end - 1}/{len(written)}"
        assert part.headers["etag"] == etag

    text = (await door.get(address(scribe, ""))).text
    whole = text.splitlines()
    assert len(whole) == 300
    for wanted in (1, 7, 299, 300, 400):
        assert (await door.get(address(scribe, f"?tail={wanted}"))).text.splitlines() == whole[-wanted:]

    found = await lines(door, scribe, "?from=100&to=120")
    assert (found["total_lines"], found["ended"], found["attempt"], found["next_from"]) == (300, True, 1, None)
    assert [line["number"] for line in found["lines"]] == list(range(100, 120))
    everything = (await lines(door, scribe, ""))["lines"]
    assert found["lines"] == everything[100:120]
    assert [line["stream"] for line in everything[:4]] == ["stderr", "stdout", "stdout", "stderr"]
    errors = [line for line in everything if line.get("level") == "error"]
    assert 30 < len(errors) < 150
    assert (await lines(door, scribe, "?level=error"))["lines"] == errors
    graver = [line for line in everything[50:] if line.get("level") in ("error", "warning")]
    assert (await lines(door, scribe, "?level=warning&from=50"))["lines"] == graver


async def test_ranges_follow_the_standard(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    await scribe.write(b"0123456789")
    raw = address(scribe, "/raw")
    live = await door.get(raw, range="bytes=-4")
    assert (live.status_code, live.content, live.headers["content-range"]) == (206, b"6789", "bytes 6-9/10")
    assert live.headers["accept-ranges"] == "bytes"
    assert "etag" not in live.headers, "more may be added"
    beyond = await door.get(raw, range="bytes=10-")
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */10")
    assert beyond.headers["content-type"] == "application/problem+json"
    several = await door.get(raw, range="bytes=0-1,4-5")
    assert (several.status_code, several.content) == (200, b"0123456789")
    # Of what may still change, nothing is known to be the same.
    assert (await door.get(raw, range="bytes=2-3", **{"if-range": '"1-1-raw"'})).status_code == 200

    await engine.finish(scribe.executor_id, scribe.job, SUCCEEDED)
    ended = await door.get(raw)
    same = await door.get(raw, range="bytes=2-3", **{"if-range": ended.headers["etag"]})
    assert (same.status_code, same.content) == (206, b"23")
    other = await door.get(raw, range="bytes=2-3", **{"if-range": '"another"'})
    assert (other.status_code, other.content) == (200, b"0123456789")


async def test_text_has_ranges_too(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    await scribe.write("\x1b[31mröd\x1b[0m\nblå\n".encode())
    await engine.finish(scribe.executor_id, scribe.job, SUCCEEDED)
    whole = await door.get(address(scribe, ""))
    assert whole.text == "röd\nblå\n"
    part = await door.get(address(scribe, ""), range="bytes=5-", **{"if-range": whole.headers["etag"]})
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, "blå\n".encode(), "bytes 5-9/10")
    assert (await door.get(address(scribe, ""), range="bytes=10-")).status_code == 416


async def test_head_tells_how_much_there_is_and_sends_nothing(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    await scribe.write(b"0123456789\n")
    async with door.client() as client:
        raw = await client.head(address(scribe, "/raw"))
        assert (raw.status_code, raw.headers["content-length"], raw.content) == (200, "11", b"")
        # Ranges are defined for GET alone.
        whole = await client.head(address(scribe, "/raw"), headers={"range": "bytes=0-3"})
        assert (whole.status_code, whole.headers["content-length"]) == (200, "11")
        text = await client.head(address(scribe, ""))
        assert (text.status_code, text.content) == (200, b"")
        unknown = await client.head("/api/v1/jobs/01234567-89ab-7def-8123-456789abcdef/log/raw")
        assert unknown.status_code == 404


async def test_a_range_of_a_packed_log_reads_its_blocks_alone(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    for number in range(40):
        await scribe.write(b"%06d\n" % number * 9000)  # 63,000 bytes
    await move_to("compact", engine, scribe)
    ((blocks,),) = engine.sql("select count(*) from log_block")
    assert blocks >= 9
    # Only the one block that is asked for can be read.
    engine.sql("update log_block set data = 'damaged' where first_byte + byte_count <= 1300000 or first_byte > 1300000")
    part = await door.get(address(scribe, "/raw"), range="bytes=1300000-1300006")
    assert part.content == (b"%06d\n" % (1_300_000 // 63_000) * 3)[1_300_000 % 7 :][:7]
    ((line,),) = engine.sql("select first_line + 10 from log_block where data <> 'damaged'")
    found = await lines(door, scribe, f"?from={line}&to={line + 3}")
    assert [shown["number"] for shown in found["lines"]] == [line, line + 1, line + 2]
    assert [shown["text"] for shown in found["lines"]] == [f"{(line + n) // 9000:06d}" for n in range(3)]


async def test_at_most_so_many_lines_are_answered_and_it_is_told_where_to_go_on(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    await scribe.write(b"".join(b"ERROR: %d\n" % number for number in range(5000)))
    for query_ in ("?", "?level=error&"):
        seen: list[int] = []
        position: int | None = 0
        while position is not None:
            found = await lines(door, scribe, f"{query_}from={position}")
            assert len(found["lines"]) <= MOST_LINES
            seen += [line["number"] for line in found["lines"]]
            position = found["next_from"]
        assert seen == list(range(5000))


async def test_no_request_looks_through_any_number_of_empty_lines(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    await scribe.write(b"\n" * 150_000 + b"ERROR: at last\n")
    found = await lines(door, scribe, "?level=error")
    assert found["lines"] == []
    requests = 1
    while not found["lines"]:
        position = found["next_from"]
        found = await lines(door, scribe, f"?level=error&from={position}")
        requests += 1
        assert found["next_from"] is None or found["next_from"] > position
    assert [line["number"] for line in found["lines"]] == [150_000]
    assert requests == 2


async def test_lines_that_are_not_there_are_none(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    empty = await lines(door, scribe, "")
    assert (empty["lines"], empty["attempt"], empty["ended"]) == ([], 1, False)
    await scribe.write(b"one\ntwo")
    assert [line["text"] for line in (await lines(door, scribe, "?from=0&to=99"))["lines"]] == ["one", "two"]
    assert (await lines(door, scribe, "?from=2"))["lines"] == []
    assert (await lines(door, scribe, "?from=1&to=1"))["lines"] == []
    for bad in ("from=-1", "to=x", "level=loud", "attempt=0"):
        refused = await door.get(address(scribe, f"/lines?{bad}"))
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, bad.partition("=")[0]), refused.text
    assert (await door.get(address(scribe, "/lines?attempt=2"))).status_code == 404
    assert (await door.get(address(scribe, "/outline?attempt=2"))).status_code == 404


async def test_a_log_that_retention_has_dropped_is_gone_and_not_empty(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    await scribe.write(b"old\n")
    await move_to("compact", engine, scribe)
    engine.sql("delete from log_block")
    for rest in ("", "/raw", "/lines", "?tail=3"):
        answer = await door.get(address(scribe, rest))
        assert (answer.status_code, answer.json()["type"]) == (410, "urn:howdah:problem:log-removed"), rest


async def test_the_outline_tells_steps_groups_levels_and_what_failed(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    for position, name in enumerate(("build", "test")):
        engine.sql(
            """
            insert into step (job_id, epoch, position, name, first_line, started_at) values (%s, 1, %s, %s, %s, now())
            """,
            scribe.job.job_id,
            position,
            name,
            3 * position,
        )
        await scribe.write(f"::group::{name} it\nERROR: no\n::endgroup::\n".encode(), step=position)
    live = (await door.get(address(scribe, "/outline"))).json()
    assert (live["attempt"], live["attempts"], live["lines"], live["ended"], live["complete"]) == (
        1, [1], 6, False, False,
    )  # fmt: skip
    assert [(step["name"], step["first_line"], step["line_count"]) for step in live["steps"]] == [
        ("build", 0, 3),
        ("test", 3, 3),
    ]
    await engine.finish(scribe.executor_id, scribe.job, FAILED)
    engine.sql("update attempt set failing_line = 4, failing_text = 'ERROR: no'")
    await pack(engine, scribe.job.job_id)
    packed = (await door.get(address(scribe, "/outline"))).json()
    assert (packed["ended"], packed["complete"], packed["levels"]["error"]) == (True, True, 2)
    assert [(group["name"], group["step"], group["first_line"], group["line_count"]) for group in packed["groups"]] == [
        ("build it", 0, 0, 3),
        ("test it", 1, 3, 3),
    ]
    assert (packed["failing_line"], packed["failing_text"]) == (4, "ERROR: no")


async def test_an_outline_is_not_complete_before_all_of_the_log_is_packed(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    for number in range(90):
        await scribe.write(b"ERROR: %d\n" % number)
    await move_to("packed in part", engine, scribe)
    part = (await door.get(address(scribe, "/outline"))).json()
    assert (part["ended"], part["complete"]) == (True, False)
    assert 0 < part["levels"]["error"] < 90
    await pack(engine, scribe.job.job_id)
    whole = (await door.get(address(scribe, "/outline"))).json()
    assert (whole["complete"], whole["levels"]) == (True, {"error": 90})


async def test_an_attempt_that_has_no_steps_has_an_outline_too(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    await scribe.write(b"a plan has none\n")
    answer = await door.get(address(scribe, "/outline"))
    assert answer.status_code == 200, answer.text
    assert (answer.json()["lines"], answer.json()["steps"]) == (1, [])


async def test_a_job_without_an_attempt_has_an_empty_outline(door: Door, engine: Engine) -> None:
    _, ids = await engine.start_run({"only": []})
    answer = await door.get(f"/api/v1/jobs/{ids['only']}/log/outline")
    assert (answer.json()["attempt"], answer.json()["lines"], answer.json()["steps"]) == (None, 0, [])
    assert (await door.get(f"/api/v1/jobs/{ids['only']}/log/lines")).json()["lines"] == []
    assert (await door.get(f"/api/v1/jobs/{ids['only']}/log/raw")).content == b""
