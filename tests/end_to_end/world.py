"""What tests do with a running Howdah: as its users do it, through git and HTTP."""

import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import httpx
import psycopg

from deploy.embedded.repository import git, install_hook, make_bare_repository, make_clone
from deploy.embedded.stack import DATABASE, Stack
from deploy.embedded.target import Received, Target

_PATIENCE_SECONDS = 60.0
_names = (f"app-{number}" for number in itertools.count(1))


class World:
    """A running stack, an API client with an administrator's token, and a webhook target."""

    def __init__(self, stack: Stack, target: Target) -> None:
        self.stack = stack
        self.target = target
        self.api = httpx.Client(
            base_url=stack.url, headers={"authorization": f"Bearer {stack.admin_token()}"}, timeout=20
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.api.close()

    def post(self, path: str, body: dict[str, object] | None = None) -> dict[str, Any]:
        """POST, and expect success."""
        answer = self.api.post(path, json=body or {})
        assert answer.is_success, answer.text
        return dict(answer.json())

    def get(self, path: str) -> dict[str, Any]:
        """GET, and expect success."""
        answer = self.api.get(path)
        assert answer.is_success, answer.text
        return dict(answer.json())

    def sql(self, statement: str, *arguments: object) -> list[tuple[Any, ...]]:
        """Run one statement as superuser; returns its rows."""
        with psycopg.connect(self.stack.postgres.dsn(DATABASE), autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), arguments)
            return cursor.fetchall() if cursor.description else []

    def add_pipeline(self, files: dict[str, str]) -> "Pipeline":
        """Make a repository with these files, not pushed yet, whose hook tells Howdah, and a pipeline of it."""
        name = next(_names)
        bare, clone = self.stack.state / f"{name}.git", self.stack.state / f"{name}-clone"
        make_bare_repository(bare)
        make_clone(clone, origin=bare, files=files, message=f"first of {name}")
        made = self.post("/api/v1/pipelines", {"name": name, "repository_url": bare.as_uri()})
        install_hook(bare, webhook=f"{self.stack.url}/webhooks/{name}", secret=made["webhook_secret"])
        return Pipeline(self, name, clone, made["webhook_secret"])

    def add_channel(self, pipeline: str, *events: str) -> str:
        """Have these events of a pipeline sent to the target; returns the secret that signs them."""
        body = {"name": f"to-{pipeline}", "kind": "webhook", "url": self.target.url, "events": list(events)}
        return str(self.post("/api/v1/channels", {**body, "pipeline": pipeline})["secret"])

    def await_notification(self) -> Received:
        """Return the next request that the target receives."""
        return self.target.received.get(timeout=_PATIENCE_SECONDS)


class Pipeline:
    """A pipeline with a repository that can be pushed to."""

    def __init__(self, world: World, name: str, clone: Path, secret: str) -> None:
        self._world = world
        self.name = name
        self.clone = clone
        self.secret = secret

    def push(self) -> str:
        """Push; returns what the hook said to whoever pushed."""
        return git("push", "origin", "main", cwd=self.clone)

    def commit(self, files: dict[str, str], message: str) -> None:
        """Commit changed files."""
        for name, text in files.items():
            (self.clone / name).write_text(text)
        git("add", "--all", cwd=self.clone)
        git("commit", "--quiet", "--message", message, cwd=self.clone)

    def runs(self) -> list[dict[str, Any]]:
        """List the runs, newest first."""
        return list(self._world.get(f"/api/v1/runs?pipeline={self.name}")["runs"])

    def events(self, run_id: str) -> Iterator[str]:
        """Yield whenever something happens to a run; at once the first time."""
        yield "looked"
        url = f"/api/v1/stream/events?run={run_id}"
        with self._world.api.stream("GET", url, timeout=_PATIENCE_SECONDS) as stream:
            yield "connected"
            for line in stream.iter_lines():
                if line.startswith("data:"):
                    yield line

    def await_run(self, run_id: str) -> dict[str, Any]:
        """Wait for a run's end; returns it."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        for _ in self.events(run_id):
            run = self._world.get(f"/api/v1/runs/{run_id}")
            if run["finished_at"] is not None:
                return run
            assert time.monotonic() < deadline, run
        raise AssertionError("the stream of events ended before the run did")

    def await_job_state(self, run_id: str, key: str, *states: str) -> dict[str, Any]:
        """Wait until a job is in one of the states; returns it."""
        for _ in self.events(run_id):
            job = self.jobs(run_id).get(key)
            if job is not None and job["state"] in states:
                return job
        raise AssertionError(f"{key} was never {states}")

    def push_and_await(self) -> dict[str, Any]:
        """Push, and wait for the end of the run that this starts."""
        said = self.push()
        assert "howdah: run " in said, said
        return self.await_run(self.runs()[0]["run_id"])

    def jobs(self, run_id: str) -> dict[str, dict[str, Any]]:
        """Return the jobs of a run by their keys."""
        return {job["key"]: job for job in self._world.get(f"/api/v1/runs/{run_id}/jobs")["jobs"]}

    def log(self, job_id: str) -> str:
        """Return a job's log as text."""
        answer = self._world.api.get(f"/api/v1/jobs/{job_id}/log")
        assert answer.status_code == 200, answer.text
        return answer.text
