"""One project of Compose for the session, built from docker-compose.yml."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.embedded.stack import ROOT
from deploy.embedded.target import run_target
from tests.containers.compose import Compose, EngineError, compose_command, host_address, run
from tests.containers.world import World, serve_git

FILES = ("docker-compose.yml", "tests/containers/docker-compose.test.yml")


@pytest.fixture(scope="session")
def images() -> dict[str, str]:
    """The base images, as settings of docker-compose.yml: those in the environment, or ones made here.

    Skips, unless HOWDAH_REQUIRE_DOCKER says that there must be an engine.
    """
    try:
        run("docker", "info")
        run(*compose_command(), "version")
    except (EngineError, OSError) as error:
        if os.environ.get("HOWDAH_REQUIRE_DOCKER"):
            raise
        pytest.skip(f"no Docker engine with Compose: {error}")
    named = {name: os.environ[name] for name in ("BASE_IMAGE", "POSTGRES_IMAGE") if name in os.environ}
    if len(named) < 2:
        run(ROOT / "deploy" / "test_images" / "make_images")
    return {"BASE_IMAGE": "howdah-test-python:bookworm", "POSTGRES_IMAGE": "howdah-test-postgres:18", **named}


@pytest.fixture(scope="session")
def compose(images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    project = Compose(tmp_path_factory.mktemp("compose"), images, *FILES)
    with project.up():
        yield project


@pytest.fixture(scope="session")
def world(compose: Compose, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("repositories")
    address = host_address()
    with serve_git(folder, address) as git_url, run_target(address) as target:
        made = World(compose, folder, git_url, target)
        with made.api:
            yield made
