"""Fixtures of the tests of built-in handlers: certificates, and the operator's settings."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.outgoing.authority import Authority, trusted_authority


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The event loop that handler processes run on."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Authority]:
    """An authority that handlers are told to trust, as an operator would."""
    with trusted_authority(tmp_path, monkeypatch) as trusted:
        yield trusted
