"""The three pages: what they show, that they escape it, and that they need nothing from elsewhere."""

import re
from uuid import UUID

import httpx
import msgspec

from services.executor.finish_jobs import FailingLine
from services.ingest.seal_session import COOKIE_NAME, Session, begin_session, seal_session
from shared.ids import TokenId
from shared.sealing import Sealer, parse_keys
from tests.engine import FAILED, SUCCEEDED, Engine
from tests.service.ingest.door import SEALING_KEY, Door, github_push
from tests.service.ingest.scribe import run_of, start_scribe

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


class Browser:
    """Somebody who is signed in."""

    def __init__(self, door: Door, role: str) -> None:
        self.session: Session = begin_session(TokenId(UUID(door.tokens[role].split("_")[1])))
        cookie = seal_session(Sealer(parse_keys([SEALING_KEY])), self.session)
        self._door = door
        self._headers = {"cookie": f"{COOKIE_NAME}={cookie}", "accept": "text/html"}

    async def get(self, path: str, status: int = 200) -> str:
        async with self._door.client(None, **self._headers) as client:
            answer = await client.get(path)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"].startswith("text/html")
        # Nothing that the policy would block: no inline script or style, nothing from elsewhere.
        assert not re.search(
            r"<script(?![^>]*\bsrc=\"/)|<style|\sstyle=|\son\w+=\"|(src|href)=\"(https?:)?//", answer.text
        )
        return answer.text

    async def press(self, path: str, **fields: str) -> httpx.Response:
        async with self._door.client(None, **self._headers) as client:
            return await client.post(path, data={"csrf": self.session.csrf, **fields})


async def test_runs_are_shown_newest_first_and_filtered(door: Door) -> None:
    browser = Browser(door, "viewer")
    assert "No runs yet" in await browser.get("/runs")
    await door.add_pipeline()
    for number in range(3):
        await door.push(
            github_push(after=f"{number + 1:040x}", head_commit={"message": f"change {number}", "author": {}})
        )
    text = await browser.get("/runs")
    assert text.index("change 2") < text.index("change 1") < text.index("change 0")
    assert "3 runs" in text
    assert "change 1" in await browser.get("/runs?pipeline=app&state=requested")
    assert "No runs match" in await browser.get("/runs?state=failed")
    assert "change" in await browser.get("/runs?state=nonsense")


async def test_older_runs_are_a_page_away(door: Door) -> None:
    await door.add_pipeline()
    await door.push(github_push())
    door.sql(
        """
        insert into run (id, pipeline_id, number, event, ref, title, author, requested_by, plan_job_id, created_at)
        select gen_random_uuid(), pipeline_id, n, 'push', ref, 'old ' || n, '', '', plan_job_id,
            now() - n * interval '1 s'
        from run, generate_series(2, 40) n
        """
    )
    browser = Browser(door, "viewer")
    first = await browser.get("/runs?pipeline=app")
    link = re.search(r'rel="next" href="([^"]+)"', first)
    assert link is not None
    second = await browser.get(link[1].replace("&amp;", "&"))
    assert "old 40" in second
    assert "old 40" not in first


async def test_a_run_shows_its_jobs_in_the_order_in_which_they_can_run(door: Door, engine: Engine) -> None:
    run_id, _ = await engine.start_run({"deploy": ["unit"], "unit": ["lint"], "lint": []})
    text = await Browser(door, "viewer").get(f"/runs/{run_id}")
    assert text.index(">plan<") < text.index(">lint<") < text.index(">unit<") < text.index(">deploy<")
    assert "waits for unit" in text
    assert "Cancel the run" not in text
    assert "Cancel the run" in await Browser(door, "developer").get(f"/runs/{run_id}")


async def test_a_job_shows_its_steps_and_leads_to_its_log(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    engine.sql(
        """
        insert into step (job_id, epoch, position, name, started_at, ended_at, exit_code)
        values (%s, 1, 0, 'install', now(), now(), 0), (%s, 1, 1, 'unit tests', now(), null, null)
        """,
        scribe.job.job_id,
        scribe.job.job_id,
    )
    text = await Browser(door, "viewer").get(f"/jobs/{scribe.job.job_id}")
    assert "install" in text
    assert "unit tests" in text
    assert f"/api/v1/stream/logs/{scribe.job.job_id}?spans=true" in text


async def test_a_failed_job_is_shown_with_the_line_that_tells_why(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    job_id, run_id = scribe.job.job_id, run_of(engine, scribe.job.job_id)
    failing = FailingLine(41, f"error: {EVIL}")
    await engine.finish(scribe.executor_id, scribe.job, msgspec.structs.replace(FAILED, failing=failing))
    text = await Browser(door, "viewer").get(f"/runs/{run_id}")
    assert f'href="/jobs/{job_id}#L42"' in text
    assert "error: &lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "<script>alert" not in text
    (plan, job) = (await door.get(f"/api/v1/runs/{run_id}/jobs", role="viewer")).json()["jobs"]
    assert (plan["failing_line"], plan["failing_text"]) == (None, None)
    assert (job["failing_line"], job["failing_text"]) == (41, failing.text)
    (attempt,) = (await door.get(f"/api/v1/jobs/{job_id}", role="viewer")).json()["attempts"]
    assert (attempt["failing_line"], attempt["failing_text"]) == (41, failing.text)


async def test_what_others_wrote_is_text_on_every_page(door: Door, engine: Engine) -> None:
    await door.add_pipeline()
    answer = await door.push(github_push(head_commit={"message": EVIL, "author": {"name": EVIL}}))
    run_id = answer.json()["run_id"]
    scribe = await start_scribe(engine)
    engine.sql("update run set reason = %s, state = 'failed', finished_at = now() where id = %s", EVIL, run_id)
    engine.sql("update job_spec set key = %s where job_id = %s", EVIL, scribe.job.job_id)
    engine.sql(
        "insert into step (job_id, epoch, position, name, started_at) values (%s, 1, 0, %s, now())",
        scribe.job.job_id,
        EVIL,
    )
    await engine.finish(scribe.executor_id, scribe.job, FAILED)
    engine.sql("update attempt set error = %s", EVIL)
    browser = Browser(door, "developer")
    own_run = run_of(engine, scribe.job.job_id)
    for path in ("/runs", f"/runs/{run_id}", f"/runs/{own_run}", f"/jobs/{scribe.job.job_id}"):
        text = await browser.get(path)
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


async def test_buttons_give_commands(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    run_id = run_of(engine, scribe.job.job_id)
    browser = Browser(door, "developer")
    assert (await browser.press(f"/jobs/{scribe.job.job_id}/cancel")).headers[
        "location"
    ] == f"/jobs/{scribe.job.job_id}"
    assert (await browser.press(f"/runs/{run_id}/cancel")).headers["location"] == f"/runs/{run_id}"
    await engine.finish(scribe.executor_id, scribe.job, SUCCEEDED)
    engine.sql("update run set state = 'succeeded', finished_at = now() where id = %s", run_id)
    assert "Run again" in await browser.get(f"/runs/{run_id}")
    assert (await browser.press(f"/runs/{run_id}/rerun")).headers["location"] == "/runs"
    refused = await browser.press(f"/runs/{run_id}/cancel")
    assert refused.status_code == 409
    assert "has ended already" in refused.text
    given = engine.sql("select kind::text, given_by from command order by given_at")
    assert given == [(kind, "token:developer") for kind in ("cancel_job", "cancel_run", "rerun_run")]


async def test_what_is_not_there_is_a_page_for_people(door: Door) -> None:
    browser = Browser(door, "viewer")
    for path in (
        "/runs/01234567-89ab-7def-8123-456789abcdef",
        "/jobs/01234567-89ab-7def-8123-456789abcdef",
        "/nothing",
    ):
        assert "<h1>Not Found</h1>" in await browser.get(path, status=404)
    assert "Invalid UUID" in await browser.get("/runs/nonsense", status=422)
