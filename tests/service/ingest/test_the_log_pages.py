"""What the server sends for the pages of logs: the viewer's shape and scripts, and the page of the search."""

import re
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.engine import Engine
from tests.service.ingest.door import Door
from tests.service.ingest.scribe import start_scribe
from tests.service.ingest.test_searching_logs import finish, pack
from tests.service.ingest.test_the_pages import EVIL, Browser

STATIC = Path(__file__).parents[3] / "services/ingest/static"


async def test_files_of_the_pages_are_sent_for_any_release_and_nothing_else_is(shared_door: Door) -> None:
    for file in STATIC.iterdir():
        for release in ("0.1.0", "another"):
            answer = await shared_door.get(f"/static/{release}/{file.name}", role=None)
            assert answer.status_code == 200
            assert answer.content == file.read_bytes()
            kind = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}[file.suffix]
            assert answer.headers["content-type"].startswith(kind)
            assert "max-age" in answer.headers["cache-control"]
    for name in ("..%2Fconfig.py", "%2E%2E", "templates", ""):
        assert (await shared_door.get(f"/static/0.1.0/{name}", role=None)).status_code in (404, 405)


def test_scripts_import_what_is_there() -> None:
    for script in STATIC.glob("*.js"):
        for wanted, module in re.findall(r'^import \{ (.*?) \} from "\./([\w.]+)";', script.read_text(), re.MULTILINE):
            text = (STATIC / module).read_text()
            for name in wanted.split(", "):
                assert re.search(rf"^export (async )?(function|class|const) {name}\b", text, re.MULTILINE), (
                    script,
                    name,
                )


def test_scripts_make_nothing_of_text_but_text() -> None:
    for script in STATIC.glob("*.js"):
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", script.read_text())


async def test_the_search_begins_empty_and_explains_itself(door: Door) -> None:
    text = await Browser(door, "viewer").get("/search")
    assert "Every line that a job has printed" in text
    assert 'href="/search"' in await Browser(door, "viewer").get("/runs")


async def test_found_lines_are_escaped_linked_and_paged(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    await scribe.write("".join(f"needle {number} {EVIL}\n" for number in range(60)).encode())
    await finish(scribe)
    await pack(engine)
    browser = Browser(door, "viewer")
    first = await browser.get("/search?q=needle")
    assert "<img src=x" not in first
    assert "<script>alert" not in first
    assert "<mark>needle</mark> 59 &lt;script&gt;alert(1)&lt;/script&gt;" in first
    assert f'href="/jobs/{scribe.job.job_id}?attempt=1#L60"' in first
    link = re.search(r'rel="next" href="([^"]+)"', first)
    assert link is not None
    second = await browser.get(link[1].replace("&amp;", "&"))
    assert "<mark>needle</mark> 0 " in second
    assert "<mark>needle</mark> 59 " not in second
    assert 'rel="next"' not in second


async def test_filters_that_mean_nothing_are_passed_over_and_others_hold(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    await scribe.write(b"ERROR: needle\n")
    await finish(scribe)
    await pack(engine)
    browser = Browser(door, "viewer")
    for holds in ("state=nonsense", "level=nonsense&since=nonsense", "level=error", "since=1h", "branch=main"):
        assert "<mark>needle</mark>" in await browser.get(f"/search?q=needle&{holds}"), holds
    for misses in ("state=canceled", "branch=other", "pipeline=other"):
        assert "No line found." in await browser.get(f"/search?q=needle&{misses}"), misses


@pytest.mark.parametrize("asked", ['"open', "-only", "..."])
async def test_what_cannot_be_searched_for_is_told_beside_the_box(shared_door: Door, asked: str) -> None:
    text = await Browser(shared_door, "viewer").get(f"/search?q={quote(asked)}", status=422)
    assert 'role="alert"' in text
    assert 'aria-invalid="true"' in text


async def test_a_cursor_of_somebody_else_is_refused(shared_door: Door) -> None:
    await Browser(shared_door, "viewer").get("/search?q=word&cursor=nonsense", status=422)
