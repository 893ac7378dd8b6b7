"""What docs/jobs.md shows of enqueueing from Python works as it stands there."""

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import anyio
import psycopg
import pytest
from psycopg import AsyncConnection

from services.executor.finish_jobs import AttemptEnd
from shared.jobs.define_handler import defined_handlers
from shared.jobs.describe_handlers import describe_handlers
from shared.queries.models import AttemptOutcome
from tests.database import TestDatabase
from tests.engine import Engine
from tests.service.ingest.door import Door
from tests.service.ingest.publishing import finish, publish, take

DOCUMENT: Final = Path(__file__).parents[3] / "docs" / "jobs.md"
_MODULE: Final = re.compile(r"```python\n# shop/(\w+\.py)\n(.*?)```", re.DOTALL)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The modules that the document shows, as a package."""
    before = dict(defined_handlers)
    (tmp_path / "shop").mkdir()
    for name, text in _MODULE.findall(DOCUMENT.read_text()):
        (tmp_path / "shop" / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in [name for name in sys.modules if name == "shop" or name.startswith("shop.")]:
        del sys.modules[name]
    defined_handlers.clear()
    defined_handlers.update(before)


def load(name: str) -> ModuleType:
    return importlib.import_module(f"shop.{name}")


@pytest.mark.usefixtures("shop")
async def test_an_order_and_its_job_are_there_together(engine: Engine, database: TestDatabase) -> None:
    engine.sql('create table "order" (id integer primary key, address text)')
    engine.sql('grant insert on "order" to howdah_producer')
    place_order = load("orders").place_order
    async with await AsyncConnection.connect(database.dsn("producer"), autocommit=True) as connection:
        await place_order(connection, 7, "a@example.org")
        with pytest.raises(psycopg.errors.UniqueViolation):
            await place_order(connection, 7, "b@example.org")
    [(job_type, payload, key)] = engine.sql(
        "select s.key, s.payload, k.key from job_spec s join job_key k on k.job_id = s.job_id"
    )
    assert (job_type, payload, key) == ("send_invoice", {"order_id": 7, "address": "a@example.org"}, "order-7")


@pytest.mark.usefixtures("shop")
async def test_an_invoice_is_asked_for_and_waited_for(engine: Engine, door: Door) -> None:
    invoices: Any = load("invoices")
    [entry] = [entry for entry in describe_handlers(defined_handlers.values()) if entry.job_type == "send_invoice"]
    await publish(engine, send_invoice=entry.payload_schema)
    executor_id = await engine.add_executor(job_types=["send_invoice"])
    numbers: list[str] = []

    async def ask() -> None:
        numbers.append(await invoices.invoice(door.url, door.tokens["developer"], 7, "a@example.org"))

    async with anyio.create_task_group() as asking:
        asking.start_soon(ask)
        row = await await_job(engine)
        [taken] = await take(engine, executor_id, "send_invoice")
        assert taken.job_id == row
        await finish(engine, executor_id, taken, AttemptEnd(AttemptOutcome.SUCCEEDED, result={"number": "2026-1"}))
    assert numbers == ["2026-1"]


async def await_job(engine: Engine) -> object:
    """Return the first job's id, as soon as there is one."""
    async with await AsyncConnection.connect(engine.database.dsn(), autocommit=True) as ears:
        await ears.execute("listen handler_job_ready")
        while not (rows := engine.sql("select id from job")):
            async for _ in ears.notifies(stop_after=1):
                pass
        return rows[0][0]
