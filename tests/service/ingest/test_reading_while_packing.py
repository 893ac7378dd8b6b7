"""A log is packed, and its rows removed, between any two queries of a reader: what it reads is the same."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from services.ingest import find_attempt, read_chunks, read_log_states, seek_log
from tests.engine import SUCCEEDED, Engine
from tests.service.ingest.door import Door
from tests.service.ingest.ears import listen
from tests.service.ingest.packing import pack, pack_a_stretch, remove_chunks
from tests.service.ingest.scribe import Scribe, start_scribes

# More than any of these requests takes.
QUERIES = 9
REQUESTS = {
    "raw": "/raw",
    "range": "/raw",
    "text": "",
    "tail": "?tail=20",
    "lines": "/lines?from=30&to=60",
    "errors": "/lines?level=error",
    "stream": "",
}
STEPS = ["packed in part", "packed", "removed"]


class Interference:
    """Does something before a reader's query of some number."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._left = -1
        self._deed: Callable[[], Awaitable[None]] | None = None
        for module, names in (
            (read_log_states, ["read_log_states"]),
            (find_attempt, ["is_log_kept"]),
            (seek_log, ["list_log_blocks", "seek_log_byte", "seek_log_line"]),
            (read_chunks, ["read_log_chunks", "read_log_block"]),
        ):
            for name in names:
                monkeypatch.setattr(module, name, self._watched(getattr(module, name)))

    def plan(self, number: int, deed: Callable[[], Awaitable[None]]) -> None:
        """Do the deed before the query of this number, from now on."""
        self._left, self._deed = number, deed

    def is_done(self) -> bool:
        """Whether it was done."""
        return self._left < 0

    def _watched(self, read: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def watched(*args: Any, **kwargs: Any) -> Any:
            self._left -= 1
            if self._left == -1 and self._deed is not None:
                await self._deed()
            return await read(*args, **kwargs)

        return watched


@pytest.fixture
def interference(monkeypatch: pytest.MonkeyPatch) -> Interference:
    return Interference(monkeypatch)


async def fetch(door: Door, scribe: Scribe, request: str) -> object:
    """Return what the request answers, without what tells one job from another."""
    path = f"/api/v1/jobs/{scribe.job.job_id}/log{REQUESTS[request]}"
    if request == "stream":
        async with listen(door, scribe.path) as ears:
            return [(event.name, event.event_id, event.data.get("text")) for event in await ears.rest()]
    headers = {"range": "bytes=300000-700000"} if request == "range" else {}
    answer = await door.get(path, **headers)
    assert answer.status_code in (200, 206), answer.text
    if request in ("lines", "errors"):
        return [(line["number"], line["stream"], line["text"]) for line in answer.json()["lines"]]
    return answer.content


@pytest.mark.parametrize("request_", REQUESTS)
@pytest.mark.parametrize("step", STEPS)
async def test_what_is_read_is_the_same_whenever_it_is_packed(
    door: Door, engine: Engine, interference: Interference, request_: str, step: str
) -> None:
    scribes = await start_scribes(engine, [f"job{number:02}" for number in range(QUERIES)])
    for scribe in scribes:
        for number in range(20):
            lines = b"".join(b"%s: %d %s\n" % ([b"ERROR", b"INFO"][n % 2], n, b"x" * 9_000) for n in range(5))
            await scribe.write(lines, stderr=number % 3 == 0)
        await engine.finish(scribe.executor_id, scribe.job, SUCCEEDED)
        if step == "removed":
            await pack_a_stretch(engine, scribe.job.job_id, page_rows=13)

    expected = await fetch(door, scribes[0], request_)
    assert expected
    disturbed = 0
    for number, scribe in enumerate(scribes[1:]):

        async def deed(scribe: Scribe = scribe) -> None:
            if step == "packed in part":
                await pack_a_stretch(engine, scribe.job.job_id, page_rows=13)
                return
            await pack(engine, scribe.job.job_id, page_rows=13)
            if step == "removed":
                remove_chunks(engine)

        interference.plan(number, deed)
        assert await fetch(door, scribe, request_) == expected, number
        disturbed += interference.is_done()
    assert disturbed > 1
