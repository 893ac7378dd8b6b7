"""Whatever a job prints is stored, streamed and shown: every byte of it as it was, and nothing of it does harm."""

import hashlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from deploy.embedded.postgres import free_port
from services.ingest.pick_lines import HEAD_BYTES, TAIL_BYTES
from shared.stop import Stop
from tests.database import TestDatabase
from tests.engine import SUCCEEDED, Engine
from tests.service.ingest.crowd import gather_crowd
from tests.service.ingest.door import Door, enter_tokens
from tests.service.ingest.ears import listen
from tests.service.ingest.packing import pack, remove_chunks
from tests.service.ingest.scribe import Scribe, start_scribe
from tests.service.ingest.test_the_process import await_answer, ingest_process

# What is written, and what a reader sees of it as one line of text.
HOSTILE: list[tuple[bytes, str]] = [
    (b"NUL \0 in a line of text", "NUL \ufffd in a line of text"),
    (b"not UTF-8: \xff\xfe\xc3( but text all the same", "not UTF-8: \ufffd\ufffd\ufffd( but text all the same"),
    ("split: é文😀".encode(), "split: é文😀"),
    (b"\r  1 %\r 50 %\r100 %", "100 %"),
    (b"windows\r", "windows"),
    (b"\x1b[1;31mred\x1b[0m \x1b[38;5;208morange\x1b[0m", "red orange"),
    (b"\x1b]8;;javascript:alert(1)\x1b\\link\x1b]8;;\x1b\\", "link"),
    (b"\x1b]8;;https://evil.example\x07bell\x1b]8;;\x07", "bell"),
    (b"\x1b]52;c;Y2xpcGJvYXJk\x07clip", "clip"),
    (b"\x1b[2J\x1b[H\x1b[3;3Hcleared", "cleared"),
    (b"</script><script>alert(1)</script>", "</script><script>alert(1)</script>"),
    (b"<img src=x onerror=alert(1)>&lt;", "<img src=x onerror=alert(1)>&lt;"),
    (b"id: 9-9\rdata: {}\revent: end", "event: end"),
    (b"::group::<b>\x1b[31m", "::group::<b>"),
    (b"", ""),
    ("\u202eevil\u202c".encode(), "\u202eevil\u202c"),
    ("\u2028line\u2029separators".encode(), "\u2028line\u2029separators"),
]  # fmt: skip
BINARY = bytes(range(256)).replace(b"\n", b"") * 40


async def write_hostile(scribe: Scribe) -> bytes:
    """Write it all, cut anywhere, also within characters and sequences; returns every byte."""
    written = b"".join(line + b"\n" for line, _ in HOSTILE) + BINARY + b"\n"
    cuts = [*range(0, len(written), 7), len(written)]
    for start, end in pairwise(cuts):
        await scribe.write(written[start:end])
    return written


@pytest.mark.parametrize("place", ["rows", "compact"])
async def test_hostile_output_is_kept_byte_for_byte_and_shown_as_text(door: Door, engine: Engine, place: str) -> None:
    scribe = await start_scribe(engine)
    written = await write_hostile(scribe)
    await engine.finish(scribe.executor_id, scribe.job, SUCCEEDED)
    if place == "compact":
        await pack(engine, scribe.job.job_id)
        remove_chunks(engine)
    log = f"/api/v1/jobs/{scribe.job.job_id}/log"

    assert (await door.get(f"{log}/raw")).content == written

    async with listen(door, f"{scribe.path}?spans=true") as ears:
        heard = await ears.rest()
    assert [event.name for event in heard[-1:]] == ["end"]
    assert "".join(event.data["text"] for event in heard[:-1]) == written.decode("utf-8", "replace")
    shown_in_pieces = "".join(piece for event in heard[:-1] for _, piece in event.data["spans"])
    assert "\x1b" not in shown_in_pieces
    assert "javascript" not in shown_in_pieces

    text = (await door.get(log)).content.decode().split("\n")
    assert text[: len(HOSTILE)] == [shown for _, shown in HOSTILE]

    for query in ("", "?spans=true"):
        found = (await door.get(f"{log}/lines{query}")).json()["lines"]
        assert [line["number"] for line in found] == list(range(len(HOSTILE) + 1))
        assert [_text_of(line) for line in found[:-1]] == [shown for _, shown in HOSTILE]
        assert (found[-1]["binary"], found[-1]["text"], found[-1]["omitted_bytes"]) == (True, "", len(BINARY))
        assert {classes for line in found for classes, _ in line.get("spans") or []} <= {
            "", "ansi-bold ansi-fg-red", "ansi-fg-red",
        }  # fmt: skip


def _text_of(line: dict[str, Any]) -> str:
    return str(line["text"]) if "text" in line else "".join(piece for _, piece in line["spans"])


def memory_of(pid: int) -> int:
    """Return the most memory that a process has ever had, in MB."""
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


async def test_100_mb_without_a_newline_cost_no_memory(database: TestDatabase, engine: Engine, tmp_path: Path) -> None:
    scribe = await start_scribe(engine)
    pieces, size = 1600, 64 * 1024
    engine.sql(
        """
        insert into log_chunk (
            day, job_id, epoch, seq, step, stream, first_line, continues, line_offsets_ms, recorded_at, data
        )
        select
            a.log_day, a.job_id, a.epoch, s, 0, 1, case when s = 1 then 0 else 1 end, s > 1,
            case when s = 1 then '{0}'::integer[] else '{}' end, now(),
            convert_to(repeat(to_char(s, 'FM0000'), %s), 'utf8')
        from attempt a
        cross join generate_series(1, %s) as s
        """,
        size // 4,
        pieces,
    )
    engine.sql(
        "update attempt set last_seq = %s, log_bytes = %s, log_lines = 1, log_state = 'open'", pieces, pieces * size
    )
    await engine.finish(scribe.executor_id, scribe.job, SUCCEEDED)
    written = hashlib.sha256(b"".join(b"%04d" % seq * (size // 4) for seq in range(1, pieces + 1)))
    tokens, port = enter_tokens(database), free_port()
    with ingest_process(database.dsn("ingest"), port, tmp_path / "log") as process:
        await_answer(port, "/ready", process)
        before = memory_of(process.pid)
        door = Door(database, f"http://127.0.0.1:{port}", tokens, Stop())
        log = f"/api/v1/jobs/{scribe.job.job_id}/log"
        async with gather_crowd(door, scribe.path, 50):  # who read nothing
            read = hashlib.sha256()
            async with door.client() as client, client.stream("GET", f"{log}/raw") as answer:
                async for data in answer.aiter_bytes():
                    read.update(data)
            assert read.digest() == written.digest()
            length = 0
            async with door.client() as client, client.stream("GET", log) as answer:
                async for data in answer.aiter_bytes():
                    length += len(data)
            assert length == pieces * size + 1
            (line,) = (await door.get(f"{log}/lines")).json()["lines"]
            assert (line["text"], len(line["tail"])) == ("0001" * (HEAD_BYTES // 4), TAIL_BYTES)
            assert line["omitted_bytes"] > 1_000_000
            part = await door.get(f"{log}/raw", range="bytes=-8")
            assert part.content == b"1600" * 2
        assert memory_of(process.pid) < before + 80
