"""Howdah in containers, as docker-compose.yml describes it: a project of its own, driven by Compose's own command."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from typing import Final
from uuid import uuid4

import httpx

from deploy.embedded.postgres import free_port
from deploy.embedded.stack import ROOT
from deploy.write_env import fill_in

_PATIENCE_SECONDS: Final = 90.0


class EngineError(RuntimeError):
    """A command of Docker's failed; the message is its own."""


def run(*arguments: str | Path, folder: Path = ROOT, environment: Mapping[str, str] | None = None) -> str:
    """Run a command; returns what it printed. Raises `EngineError`."""
    done = subprocess.run(
        arguments, cwd=folder, env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise EngineError(f"{' '.join(map(str, arguments))}:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return done.stdout


@cache
def compose_command() -> tuple[str, ...]:
    """Return Compose as this machine has it: the plugin, or the older program."""
    try:
        run("docker", "compose", "version")
    except EngineError:
        return ("docker-compose",)
    return ("docker", "compose")


def host_address() -> str:
    """Return the address by which containers reach this machine: the first of the default bridge."""
    subnet = run("docker", "network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Subnet}}").strip()
    return str(next(ip_network(subnet).hosts()))


def inspect(container: str, template: str) -> str:
    """Return what the engine knows of a container."""
    return run("docker", "inspect", "--format", template, container).strip()


class Compose:
    """One project of Compose, described by `files` in `root`."""

    def __init__(self, folder: Path, images: Mapping[str, str], *files: str, root: Path = ROOT) -> None:
        self.project = f"howdah-test-{uuid4().hex[:8]}"
        self.url = f"http://127.0.0.1:{free_port()}"
        env_file = folder / "env"
        mine = f"HOWDAH_PORT={self.url.rpartition(':')[2]}\nHOWDAH_URL={self.url}\n"
        env_file.write_text(mine + fill_in((ROOT / ".env.example").read_text(), mine))
        self._environment = {**images, "HOST_ADDRESS": host_address(), "HOWDAH_VERSION": "test"}
        self._root = root
        self._command = (
            *compose_command(),
            *("--project-name", self.project, "--env-file", str(env_file)),
            *(part for file in files for part in ("--file", file)),
        )

    def __call__(self, *arguments: str) -> str:
        """Run a command of Compose; returns what it printed. Raises `EngineError`."""
        return run(*self._command, *arguments, folder=self._root, environment=self._environment)

    @contextmanager
    def up(self) -> Iterator[None]:
        """Build the images, start everything and wait until it is ready; then stop it, and leave nothing behind."""
        try:
            self("up", "--build", "--detach")
            self.wait_until("ingest is ready", self.is_ready)
            yield
            self("stop")
            statuses = {inspect(container, "{{.Name}} {{.State.ExitCode}}") for container in self.containers()}
            assert all(status.endswith(" 0") for status in statuses), statuses
        finally:
            self("down", "--volumes", "--remove-orphans")
        assert self.left_behind() == []

    def containers(self, service: str | None = None) -> list[str]:
        """Return the ids of a service's containers, or of all; stopped ones, too."""
        of_service = () if service is None else (f"--filter=label=com.docker.compose.service={service}",)
        return self._list("ps", "--all", "--no-trunc", *of_service)

    def left_behind(self) -> list[str]:
        """Return what exists of this project: containers, volumes, networks."""
        return self._list("ps", "--all") + self._list("volume", "ls") + self._list("network", "ls")

    def _list(self, *command: str) -> list[str]:
        return run("docker", *command, "--quiet", f"--filter=label=com.docker.compose.project={self.project}").split()

    def sql(self, statement: str) -> str:
        """Run one statement as superuser, inside PostgreSQL's container; returns what psql prints."""
        psql = "psql --no-psqlrc --quiet --tuples-only --no-align --username=postgres --dbname=howdah"
        return self("exec", "-T", "postgres", *psql.split(), f"--command={statement}").strip()

    def admin_api(self) -> httpx.Client:
        """Return a client with a new administrator's token."""
        issue = "python -m services.ingest.issue_token --name test --role admin"
        token = self("exec", "-T", "ingest", *issue.split()).strip()
        return httpx.Client(base_url=self.url, headers={"authorization": f"Bearer {token}"}, timeout=30)

    def is_ready(self) -> bool:
        """Whether ingest says that it can serve requests."""
        try:
            return httpx.get(f"{self.url}/ready", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def wait_until(self, what: str, holds: Callable[[], bool]) -> None:
        """Look again and again until `holds()`; fails at last, with everybody's last words."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not holds():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited in vain until {what}\n{self('logs', '--no-color', '--tail=40')}")
            time.sleep(0.1)
