"""What the container tests do with a running project: as its users do it, through git and HTTP."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from deploy.embedded.postgres import free_port
from deploy.embedded.repository import git, install_hook, make_bare_repository, make_clone
from deploy.embedded.target import Target
from tests.containers.compose import Compose


@contextmanager
def serve_git(folder: Path, address: str) -> Iterator[str]:
    """Serve the repositories in `folder` by git's own daemon; gives the URL of the folder."""
    port = free_port()
    daemon = subprocess.Popen(
        ["git", "daemon", f"--listen={address}", f"--port={port}", f"--base-path={folder}", "--export-all", folder],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait_until_open(address, port)
        yield f"git://{address}:{port}"
    finally:
        os.killpg(daemon.pid, signal.SIGTERM)
        daemon.wait()


def _wait_until_open(address: str, port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection((address, port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, "git daemon does not start"
            time.sleep(0.02)
        else:
            return


class World:
    """A project that is up, repositories that it can fetch from, and a webhook target that it can reach."""

    def __init__(self, compose: Compose, folder: Path, git_url: str, target: Target) -> None:
        self.compose = compose
        self.target = target
        self.api: httpx.Client = compose.admin_api()
        self._folder = folder
        self._git_url = git_url

    def post(self, path: str, body: dict[str, object]) -> dict[str, Any]:
        """POST, and expect success."""
        answer = self.api.post(path, json=body)
        assert answer.is_success, answer.text
        return dict(answer.json())

    def get(self, path: str) -> dict[str, Any]:
        """GET, and expect success."""
        answer = self.api.get(path)
        assert answer.is_success, answer.text
        return dict(answer.json())

    def push(self, name: str, jobs: str) -> str:
        """Make a pipeline of a new repository with these jobs, and push; returns the id of the run."""
        bare, clone = self._folder / f"{name}.git", self._folder / f"{name}-clone"
        make_bare_repository(bare)
        make_clone(clone, origin=bare, files={".howdah.yml": f"on: push\njobs:\n{jobs}"}, message=f"first of {name}")
        made = self.post("/api/v1/pipelines", {"name": name, "repository_url": f"{self._git_url}/{name}.git"})
        install_hook(bare, webhook=f"{self.compose.url}/webhooks/{name}", secret=made["webhook_secret"])
        said = git("push", "origin", "main", cwd=clone)
        assert "howdah: run 1" in said, said
        return str(self.get(f"/api/v1/runs?pipeline={name}")["runs"][0]["run_id"])

    def await_end(self, run_id: str) -> str:
        """Wait for a run's end; returns its state."""
        self.compose.wait_until(
            "the run has ended", lambda: self.get(f"/api/v1/runs/{run_id}")["finished_at"] is not None
        )
        return str(self.get(f"/api/v1/runs/{run_id}")["state"])

    def log(self, run_id: str, key: str) -> str:
        """Return the log of a job, as far as it has come; empty before the job is there."""
        jobs = {job["key"]: job["job_id"] for job in self.get(f"/api/v1/runs/{run_id}/jobs")["jobs"]}
        return self.api.get(f"/api/v1/jobs/{jobs[key]}/log").text if key in jobs else ""
