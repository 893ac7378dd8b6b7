"""Pipeline files are loaded by a process that may hang, crash or be eaten up, and nobody else notices."""

import os
from collections.abc import AsyncIterator

import anyio
import pytest

from services.executor.load_definition import DefinitionLoader, LoaderUnavailableError
from services.executor.parse_frames import Refused
from shared.pipeline.definition import Pipeline
from shared.pipeline.load import load_pipeline
from tests.service.executor.await_processes import has_ended

VALID = b"name: app\non: {push: {}}\njobs:\n  test: {run: make test}\n"
BAD_LOADER = "tests.service.executor.parse_loaders:load_badly"


@pytest.fixture
async def loader() -> AsyncIterator[DefinitionLoader]:
    made = DefinitionLoader(loader=BAD_LOADER, timeout_seconds=20)
    yield made
    await made.aclose()


async def assert_works(loader: DefinitionLoader) -> None:
    assert await loader.load(VALID, filename=".howdah.yml") == load_pipeline(VALID, filename=".howdah.yml")


async def test_a_valid_file_comes_back_as_its_definition() -> None:
    loader = DefinitionLoader()
    await loader.warm()
    try:
        await assert_works(loader)
    finally:
        await loader.aclose()


async def test_one_child_serves_many_requests_also_at_once(loader: DefinitionLoader) -> None:
    await loader.warm()
    assert loader._child is not None
    pid = loader._child.pid
    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(assert_works, loader)
    assert loader._child.pid == pid


async def test_an_invalid_file_is_refused_with_line_and_column(loader: DefinitionLoader) -> None:
    refused = await loader.load(b"on: {push: {}}\njobs:\n  test: {rum: make}\n", filename="ci/.howdah.yml")
    assert isinstance(refused, Refused)
    assert "ci/.howdah.yml:3:" in refused.message


async def test_any_bytes_get_their_answer(loader: DefinitionLoader) -> None:
    for source in (b"", b"\0\xff\xfe", b"[" * 100_000, os.urandom(1000), b"x" * (256 * 1024 + 1)):
        assert isinstance(await loader.load(source, filename="f"), Refused)
    await assert_works(loader)


async def test_a_file_that_takes_too_long_is_refused_and_its_child_killed() -> None:
    loader = DefinitionLoader(loader=BAD_LOADER, timeout_seconds=0.1)
    await loader.warm()
    assert loader._child is not None
    pid = loader._child.pid
    refused = await loader.load(b"hang", filename=".howdah.yml")
    assert refused == Refused(".howdah.yml: reading this file takes longer than 0.1 s")
    assert has_ended(pid)


@pytest.mark.parametrize(
    ("deed", "told"),
    [
        ("exit", "its process was ended"),
        ("fill-memory", "MemoryError"),
        ("raise", "LookupError: a bug"),
        ("write-file", "File too large"),
        ("start-process", "Resource temporarily unavailable"),
    ],
)
async def test_a_file_that_breaks_its_child_is_refused_and_the_next_one_loads(
    loader: DefinitionLoader, deed: str, told: str
) -> None:
    if deed == "start-process" and os.geteuid() == 0:
        pytest.skip("root may always start processes")
    refused = await loader.load(deed.encode(), filename=".howdah.yml")
    assert isinstance(refused, Refused)
    assert refused.message.startswith(".howdah.yml: this file cannot be read: ")
    assert told in refused.message
    await assert_works(loader)


async def test_what_the_loader_prints_does_not_get_between_the_frames(loader: DefinitionLoader) -> None:
    result = await loader.load(b"print: 1\n" + VALID, filename="f")
    assert isinstance(result, Refused | Pipeline)
    await assert_works(loader)


async def test_the_child_knows_nothing_of_our_environment(
    loader: DefinitionLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOWDAH_DATABASE_URL", "postgresql://secret")
    refused = await loader.load(b"show-environment", filename="f")
    assert isinstance(refused, Refused)
    assert "LookupError: LC_ALL PATH" in refused.message


async def test_a_child_that_died_between_requests_is_replaced(loader: DefinitionLoader) -> None:
    await loader.warm()
    assert loader._child is not None
    os.kill(loader._child.pid, 9)
    await loader._child.wait_exit()
    await assert_works(loader)


async def test_an_interrupted_request_ends_its_child(loader: DefinitionLoader) -> None:
    await loader.warm()
    assert loader._child is not None
    pid = loader._child.pid
    async with anyio.create_task_group() as group:

        async def load_in_vain() -> None:
            await loader.load(b"hang", filename="f")

        group.start_soon(load_in_vain)
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    assert has_ended(pid)
    await assert_works(loader)


async def test_a_loader_that_does_not_start_is_no_fault_of_the_file() -> None:
    loader = DefinitionLoader(loader="no.such.module:load")
    with pytest.raises(LoaderUnavailableError):
        await loader.load(VALID, filename="f")
