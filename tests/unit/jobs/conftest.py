"""Handlers that a test defines are forgotten after it."""

from collections.abc import Iterator

import pytest

from shared.jobs.define_handler import defined_handlers


@pytest.fixture(autouse=True)
def own_handlers() -> Iterator[None]:
    before = dict(defined_handlers)
    yield
    defined_handlers.clear()
    defined_handlers.update(before)
