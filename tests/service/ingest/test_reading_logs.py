"""A job's log in one piece: as text line by line, its last lines, and byte for byte."""

from tests.engine import SUCCEEDED, Engine
from tests.service.ingest.door import Door
from tests.service.ingest.scribe import Scribe, claim_again, start_scribe
from tests.service.ingest.test_streaming_logs import HANDED_BACK


async def read(door: Door, scribe: Scribe, rest: str = "") -> str:
    answer = await door.get(f"/api/v1/jobs/{scribe.job.job_id}/log{rest}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    return answer.text


async def test_the_text_of_a_log_has_whole_lines_and_no_control_sequences(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    assert await read(door, scribe) == ""
    await scribe.write(b"begun ")
    await scribe.write(b"an error\n", stderr=True)
    await scribe.write(b"and \x1b[32mended\x1b[0m\n")
    await scribe.write(b"\xff\x00 bytes\n")
    await scribe.write(b"no newline")
    await scribe.write(b"next step\n", step=1)
    assert await read(door, scribe) == "an error\nbegun and ended\n\ufffd\ufffd bytes\nno newline\nnext step\n"


async def test_the_raw_log_is_what_was_written(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    pieces = [b"\x1b[32mgreen\x1b[0m\n", b"\xff\x00\xfe", b"\r\n", bytes(range(256)) * 600]
    for piece in pieces:
        await scribe.write(piece)
    await scribe.write(b"", step=1)  # lets go what was held back
    answer = await door.get(f"/api/v1/jobs/{scribe.job.job_id}/log/raw")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.content == b"".join(pieces)


async def test_the_tail_is_exact_across_chunks_streams_and_long_lines(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    for number in range(300):
        await scribe.write(b"line %d " % number, stderr=number % 2 == 0)
        await scribe.write(b"x" * (number % 7) * 6_000, stderr=number % 2 == 0)
        await scribe.write(b" end\n", stderr=number % 2 == 0)
    await scribe.write(b"last without newline")
    for wanted in (1, 2, 10, 150, 300, 301, 302, 5000):
        lines = (await read(door, scribe, f"?tail={wanted}")).splitlines()
        assert len(lines) == min(wanted, 301)
        assert lines[-1] == "last without newline"
        assert lines[0].startswith("line " + str(max(0, 301 - wanted))) or wanted == 1


async def test_a_line_that_another_stream_interrupts_is_counted_once(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    await scribe.write(b"out begins, ")
    for number in range(5):
        await scribe.write(b"err %d\n" % number, stderr=True)
    await scribe.write(b"out ends\nlast\n")
    assert await read(door, scribe, "?tail=1") == "last\n"
    assert await read(door, scribe, "?tail=2") == "err 4\nlast\n"
    assert (
        await read(door, scribe, "?tail=7") == "".join(f"err {n}\n" for n in range(5)) + "out begins, out ends\nlast\n"
    )


async def test_each_attempt_has_a_log_and_the_latest_is_shown(door: Door, engine: Engine) -> None:
    first = await start_scribe(engine)
    await first.write(b"first\n")
    await engine.finish(first.executor_id, first.job, HANDED_BACK)
    second = await claim_again(engine, first)
    await second.write(b"second\n")
    await engine.finish(second.executor_id, second.job, SUCCEEDED)
    assert await read(door, first) == "second\n"
    assert await read(door, first, "?attempt=1") == "first\n"
    assert await read(door, first, "?attempt=1&tail=1") == "first\n"
    assert (await door.get(f"/api/v1/jobs/{first.job.job_id}/log?attempt=3")).status_code == 404


async def test_a_line_without_end_is_passed_on_in_pieces(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    await scribe.write(b"x" * 1_000_000)
    await scribe.write(b"y\nnext\n")
    text = await read(door, scribe)
    assert text == "x" * 1_000_000 + "y\nnext\n"
