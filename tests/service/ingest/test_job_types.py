"""What executors publish: listed with who serves it, and part of the OpenAPI document."""

from typing import Any

import jsonschema_rs
import pytest

from services.ingest import job_catalog
from shared.errors import DatabaseUnavailableError
from tests.engine import Engine
from tests.service.ingest.door import Door
from tests.service.ingest.publishing import ANYTHING, EMAIL_SCHEMA, publish

EMAIL = {"type": "send_email", "payload": {"to": ["ada@example.org"]}, "queue": "mail"}


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_catalog, "_REMEMBERED_SECONDS", 0.0)


async def test_types_are_listed_with_the_executors_that_serve_them(door: Door, engine: Engine) -> None:
    assert (await door.get("/api/v1/job-types", role="viewer")).json() == {"job_types": []}
    await publish(engine, send_email=EMAIL_SCHEMA, note=ANYTHING)
    await engine.add_executor(job_types=["note", "other"], queues=["mail"], labels=["eu"])
    gone = await engine.add_executor(job_types=["note"])
    door.sql("update executor set state = 'left', ended_at = now() where id = %s", gone)
    note, send_email = (await door.get("/api/v1/job-types", role="viewer")).json()["job_types"]
    assert (note["type"], note["max_attempts"], note["timeout_seconds"], note["batch_size"]) == ("note", 3, 60, 1)
    assert [(served["name"], served["queues"], served["labels"]) for served in note["executors"]] == [
        ("test", ["mail"], ["eu"])
    ]
    assert (send_email["payload_schema"], send_email["executors"]) == (EMAIL_SCHEMA, [])
    assert (await door.get("/api/v1/job-types/note")).json() == note
    answer = await door.get("/api/v1/job-types/send_emial")
    assert (answer.status_code, "did you mean send_email" in answer.json()["detail"]) == (404, True)


async def test_the_openapi_document_tells_of_every_published_payload(door: Door, engine: Engine) -> None:
    def accepts(document: dict[str, Any], body: object) -> bool:
        body_schema = document["paths"]["/api/v1/jobs"]["post"]["requestBody"]["content"]["application/json"]["schema"]
        schema = {**body_schema, "components": document["components"]}
        return jsonschema_rs.validator_for(schema).is_valid(body)

    async def read() -> dict[str, Any]:
        return dict((await door.get("/openapi.json", role=None)).json())

    before = await read()
    assert accepts(before, {"type": "note"})
    await publish(engine, send_email=EMAIL_SCHEMA, note=ANYTHING)
    document = await read()
    assert accepts(document, EMAIL)
    assert accepts(document, [EMAIL, {"type": "note"}])
    for wrong in ({**EMAIL, "payload": {"to": ["x"]}}, {"type": "send_email"}, {"type": "other"}, {**EMAIL, "x": 1}):
        assert not accepts(document, wrong)
        assert not accepts(document, [EMAIL, wrong])
        # The document and the call itself agree.
        assert (await door.post("/api/v1/jobs", wrong)).status_code == 422
    discriminator = document["components"]["schemas"]["EnqueuedOrder"]["discriminator"]
    assert set(discriminator["mapping"]) == {"send_email", "note"}
    await publish(engine, note={"type": "integer"})
    changed = await read()
    assert accepts(changed, {"type": "note", "payload": 3})
    assert not accepts(changed, {"type": "note"})


async def test_every_reference_of_the_document_leads_somewhere(door: Door, engine: Engine) -> None:
    await publish(
        engine,
        send_email=EMAIL_SCHEMA,
        tree={
            "$ref": "#/$defs/Node[int]",
            "$defs": {"Node[int]": {"items": {"$ref": "#/$defs/Node[int]"}}},
        },
        self={"properties": {"next": {"$ref": "#"}}},
    )
    document = (await door.get("/openapi.json", role=None)).json()

    def references(value: Any) -> list[str]:
        if isinstance(value, list):
            return [found for element in value for found in references(element)]
        if not isinstance(value, dict):
            return []
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [found for element in value.values() for found in references(element)]

    found = set(references(document))
    assert any("payload.tree.Node_int_" in reference for reference in found)
    for reference in found:
        name = reference.removeprefix("#/components/schemas/")
        assert name in document["components"]["schemas"], reference


async def test_the_document_is_there_without_the_database(
    door: Door, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(engine, note=ANYTHING)
    assert "job.note" in (await door.get("/openapi.json", role=None)).text

    async def unavailable(_: job_catalog.JobCatalog) -> None:
        raise DatabaseUnavailableError("gone")

    monkeypatch.setattr(job_catalog.JobCatalog, "types", unavailable)
    answer = await door.get("/openapi.json", role=None)
    assert (answer.status_code, "job.note" in answer.text) == (200, True)
