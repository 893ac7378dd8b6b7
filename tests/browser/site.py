"""A running Howdah with logs to look at, and what tests do in a browser."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from playwright.sync_api import Locator, Page

from deploy.embedded.postgres import free_port
from shared.ids import JobId, RunId
from tests.cluster import FAST_LEASE, Cluster, PushedPipeline, executor_child, run_cluster
from tests.database import TestDatabase

ROOT = Path(__file__).parents[2]
BIG_LINES = 200_000


class Site:
    """One replica of each service, and a token for its pages."""

    def __init__(self, cluster: Cluster, url: str, token: str) -> None:
        self.cluster = cluster
        self.url = url
        self.token = token
        self.jobs: dict[str, JobId] = {}
        self._ingest = cluster.start("ingest")
        self._executor = cluster.start("executor")

    def run(self, files: dict[str, str], name: str) -> tuple[PushedPipeline, RunId]:
        """Start a run of a pipeline with these files."""
        pipeline = self.cluster.add_pipeline(files, name)
        return pipeline, pipeline.request_run()

    def replace_executor(self) -> None:
        """Kill the executor with all that it runs, and start another."""
        os.kill(executor_child(self._executor), 9)
        self._executor = self.cluster.start("executor")

    def replace_ingest(self) -> None:
        """Kill ingest, and start it again where it was."""
        assert self._ingest.process is not None
        self._ingest.process.kill()
        self._ingest.process.wait()
        self._ingest = self.cluster.start("ingest")
        await_ready(self.url)

    def make_pipe(self, name: str) -> Path:
        """Make a pipe that a job can read from."""
        pipe = self.cluster.folder / name
        os.mkfifo(pipe)
        pipe.chmod(0o666)
        return pipe

    def await_packed(self, job_id: JobId) -> None:
        """Wait until the log of a job has been packed: then its levels and groups are known."""
        packed = "select 1 from attempt where job_id = %s and log_state in ('packed', 'compact')"
        self.cluster.wait_until("the log is packed", lambda: bool(self.cluster.sql(packed, job_id)))


@contextmanager
def run_site(database: TestDatabase) -> Iterator[Site]:
    """Start everything."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = {
        **FAST_LEASE,
        "HOWDAH_LISTEN_PORT": str(port),
        "HOWDAH_PUBLIC_URL": url,
        "HOWDAH_ALLOW_LOCAL_REPOSITORIES": "true",
    }
    with run_cluster(database, settings) as cluster:
        cluster.start("scheduler")
        made = subprocess.run(
            [sys.executable, "-m", "services.ingest.issue_token", "--name", "ada", "--role", "viewer"],
            cwd=ROOT,
            env={"HOWDAH_DATABASE_URL": database.dsn("ingest")},
            capture_output=True,
            text=True,
            check=True,
        )
        started = Site(cluster, url, made.stdout.strip())
        await_ready(url)
        yield started


def await_ready(url: str) -> None:
    """Return once ingest answers."""
    deadline = time.monotonic() + 60
    while True:
        try:
            if httpx.get(f"{url}/ready", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            assert time.monotonic() < deadline


class LogPage:
    """The page of a job."""

    def __init__(self, page: Page, site: Site, job_id: JobId) -> None:
        self.page = page
        self._path = f"{site.url}/jobs/{job_id}"
        self.rows = page.locator(".log-line:not(.waiting)")
        self.box = page.locator(".log-lines")

    def open(self, where: str = "") -> "LogPage":
        """Go to the page, and wait until lines are there."""
        self.page.goto(self._path + where)
        self.page.wait_for_selector(".log-line:not(.waiting), .log-head")
        return self

    def line(self, number: int) -> Locator:
        """Return the row of a line, by the number that people see."""
        return self.page.locator(f'.log-line[data-line="{number - 1}"]')

    def head(self, name: str) -> Locator:
        """Return the head of a step or a group, which is a button."""
        return self.page.locator(".log-head").get_by_role("button", name=name)

    def press(self, key: str) -> None:
        """Press a key in the list of lines."""
        self.box.focus()
        self.page.keyboard.press(key)

    def drawn(self) -> int:
        """Return how many rows are in the document."""
        return self.page.locator(".log-strip > *").count()

    def await_in_view(self, row: Locator) -> None:
        """Wait until a row is within the list, below the head that stands above it, and the list on the screen."""
        row.wait_for()
        self.page.wait_for_function(
            """([row, box]) => {
                const shape = row.getBoundingClientRect();
                const view = box.getBoundingClientRect();
                const stuck = document.querySelector(".log-stuck:not([hidden])")?.getBoundingClientRect();
                const top = Math.max(stuck && row.matches(".log-line") ? stuck.bottom : view.top, 0);
                return shape.top >= top - 1 && shape.bottom <= Math.min(view.bottom, innerHeight) + 1;
            }""",
            arg=[row.element_handle(), self.box.element_handle()],
        )

    def top_of(self, row: Locator) -> float:
        """Return where a row's upper edge is, in points from the screen's."""
        shape = row.bounding_box()
        assert shape is not None
        return shape["y"]

    def settle(self) -> None:
        """Let the browser draw what it has to draw."""
        self.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
