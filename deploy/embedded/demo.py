"""`make demo`: a real push to a real repository becomes a run, its log streams by, its outcome reaches a webhook."""

import json
import queue
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

import httpx
from rich.console import Console

from deploy.embedded.postgres import EmbeddedPostgresError
from deploy.embedded.repository import GitFailedError, git, install_hook, make_bare_repository, make_clone
from deploy.embedded.stack import ROOT, Stack, StackError, run_stack
from deploy.embedded.target import Received, Target, run_target
from deploy.migrate import MigrationError

_PIPELINE: Final = "demo"
_SAMPLE: Final = ROOT / "samples" / "python-app"
_RUN_SECONDS: Final = 120.0
_COLOURS: Final = {"succeeded": "green", "failed": "red", "running": "yellow", "canceled": "magenta"}


class DemoError(RuntimeError):
    """Something that the demo promises did not happen."""


class Demo:
    """One showing, against a running stack."""

    def __init__(self, stack: Stack, target: Target, console: Console) -> None:
        self._stack = stack
        self._target = target
        self._console = console
        self._api = httpx.Client(
            base_url=stack.url, headers={"authorization": f"Bearer {stack.admin_token()}"}, timeout=10
        )

    def _post(self, path: str, body: dict[str, object]) -> dict[str, Any]:
        answer = self._api.post(path, json=body)
        if answer.is_error:
            raise DemoError(f"POST {path}: {answer.status_code} {answer.text}")
        return dict(answer.json())

    def _get(self, path: str) -> Any:
        answer = self._api.get(path)
        if answer.is_error:
            raise DemoError(f"GET {path}: {answer.status_code} {answer.text}")
        return answer.json()

    def show(self) -> str:
        """Push, and show what comes of it; returns the run's page. Raises `DemoError`."""
        repository = self._stack.state / "repositories" / "demo.git"
        pipeline = self._post("/api/v1/pipelines", {"name": _PIPELINE, "repository_url": repository.as_uri()})
        channel = self._post(
            "/api/v1/channels",
            {
                "name": "demo-hook",
                "kind": "webhook",
                "url": self._target.url,
                "events": ["run.succeeded", "run.failed"],
            },
        )
        clone = self._stack.state / "clone"
        make_bare_repository(repository)
        install_hook(repository, webhook=f"{self._stack.url}/webhooks/{_PIPELINE}", secret=pipeline["webhook_secret"])
        make_clone(clone, origin=repository, files=_SAMPLE, message="A first application")
        stopped = threading.Event()
        keys: dict[str, str] = {}
        follower = threading.Thread(target=self._print_logs, args=(stopped, keys), daemon=True)
        follower.start()
        self._say("$ git push origin main")
        began = time.monotonic()
        for line in git("push", "origin", "main", cwd=clone).splitlines():
            if line.strip():
                self._console.print(f"  {line.rstrip()}", style="dim", markup=False)
        run = self._follow_run(keys)
        took = time.monotonic() - began
        notification = self._await_notification()
        if not notification.is_signed_with(channel["secret"]):
            raise DemoError("the notification's signature does not hold")
        stopped.set()
        colour = _COLOURS.get(run["state"], "white")
        self._say(f"run {run['number']} [{colour}]{run['state']}[/] {took:.1f} s after the push began")
        self._say("notification delivered, signature verified:")
        self._console.print_json(notification.body.decode())
        if run["state"] != "succeeded":
            raise DemoError(f"the run ended {run['state']}: {run['reason']}")
        return f"{self._stack.url}/runs/{run['run_id']}"

    def _say(self, line: str) -> None:
        self._console.print(f"\n[bold]{line}[/]")

    def _follow_run(self, keys: dict[str, str]) -> dict[str, Any]:
        """Report every change of a job's state until the run has ended."""
        runs = self._get(f"/api/v1/runs?pipeline={_PIPELINE}")["runs"]
        if not runs:
            raise DemoError("the push started no run")
        run_id = runs[0]["run_id"]
        states: dict[str, str] = {}
        deadline = time.monotonic() + _RUN_SECONDS
        while time.monotonic() < deadline:
            for job in self._get(f"/api/v1/runs/{run_id}/jobs")["jobs"]:
                keys[job["job_id"]] = job["key"]
                if states.get(job["job_id"]) != job["state"]:
                    states[job["job_id"]] = job["state"]
                    colour = _COLOURS.get(job["state"], "blue")
                    self._console.print(f"[{colour}]●[/] {job['key']}: [{colour}]{job['state']}[/]")
            run = dict(self._get(f"/api/v1/runs/{run_id}"))
            if run["finished_at"] is not None:
                return run
            time.sleep(0.1)
        raise DemoError(f"the run did not end within {_RUN_SECONDS:.0f} s")

    def _print_logs(self, stopped: threading.Event, keys: dict[str, str]) -> None:
        """Print every line of every job as the server streams it."""
        with self._api.stream("GET", "/api/v1/stream/logs", timeout=None) as stream:
            for line in stream.iter_lines():
                if stopped.is_set():
                    return
                if not line.startswith("data:"):
                    continue
                chunk = json.loads(line.removeprefix("data:"))
                if "text" not in chunk:
                    continue
                label = keys.get(chunk["job_id"], chunk.get("job_key", ""))
                for text in chunk["text"].splitlines():
                    self._console.print(f"  {label:>8} │ {text}", style="cyan", markup=False)

    def _await_notification(self) -> Received:
        try:
            return self._target.received.get(timeout=30)
        except queue.Empty:
            raise DemoError("no notification arrived within 30 s") from None


def main(arguments: list[str]) -> int:
    """Show it; then stay up until Ctrl-C, or end at once with `--once`. Returns the exit status."""
    console = Console(highlight=False, soft_wrap=True)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    state = Path(tempfile.mkdtemp(prefix="howdah-demo-"))
    settings = {"HOWDAH_ALLOW_LOCAL_REPOSITORIES": "true", "HOWDAH_ALLOWED_NETWORKS": "127.0.0.0/8"}
    try:
        with (
            run_stack(state, settings=settings, say=lambda line: console.print(f"[dim]{line}[/]")) as stack,
            run_target() as target,
        ):
            page = Demo(stack, target, console).show()
            console.print(f"\nThe run's page: [bold]{page}[/]")
            console.print(f"API reference: {stack.url}/docs   sign in with: {stack.admin_token()}")
            if "--once" not in arguments:
                console.print("Everything stays up until Ctrl-C.")
                stopped.wait()
                console.print("\nstopping")
    except (DemoError, GitFailedError, StackError, EmbeddedPostgresError, MigrationError, httpx.HTTPError) as error:
        console.print(f"\nThe demo failed: {error}", style="red", markup=False)
        for log in sorted((state / "logs").glob("*.log")):
            console.print(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}", style="dim", markup=False)
        return 1
    finally:
        shutil.rmtree(state, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
