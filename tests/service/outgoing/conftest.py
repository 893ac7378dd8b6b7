"""Fixtures of the tests of outgoing requests."""

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The event loop that services run on: what a hostile target provokes may differ from loop to loop."""
    return "asyncio", {"use_uvloop": True}
