"""Limits of concurrency keys: set, shown with what runs and waits, and forgotten."""

from typing import Any

import pytest

from tests.engine import Engine
from tests.service.ingest.door import Door
from tests.service.ingest.publishing import ANYTHING, enqueue_many, publish

LIMITS = "/api/v1/limits"


async def put(door: Door, key: str, body: object, role: str = "admin") -> Any:
    async with door.client(role) as client:
        return await client.put(f"{LIMITS}/{key}", json=body)


async def test_a_limit_is_set_changed_shown_and_forgotten(door: Door) -> None:
    entered = await put(door, "tenant%207", {"max_running": 5})
    assert (entered.status_code, entered.json()["concurrency_key"]) == (201, "tenant 7")
    changed = await put(door, "tenant%207", {"max_running": 3, "rate_count": 10, "rate_seconds": 60})
    assert changed.status_code == 200
    shown = (await door.get(f"{LIMITS}/tenant%207", role="viewer")).json()
    assert shown == changed.json()
    assert (shown["max_running"], shown["rate_count"], shown["rate_seconds"]) == (3, 10, 60.0)
    assert (await door.delete(f"{LIMITS}/tenant%207")).status_code == 204
    shown = (await door.get(f"{LIMITS}/tenant%207", role="viewer")).json()
    assert (shown["max_running"], shown["rate_count"], shown["rate_seconds"]) == (1, None, None)
    assert (await door.delete(f"{LIMITS}/nobody")).status_code == 404
    assert (await door.get(f"{LIMITS}/nobody")).status_code == 404
    events = door.sql("select name, actor, detail ->> 'key' from audit_event order by id")
    assert events == [(name, "token:admin", "tenant 7") for name in ("limit.set", "limit.set", "limit.reset")]


async def test_a_key_with_a_slash_is_a_key(door: Door) -> None:
    assert (await put(door, "tenant/7", {"max_running": 2})).json()["concurrency_key"] == "tenant/7"
    assert (await door.get(f"{LIMITS}/tenant/7")).json()["max_running"] == 2


async def test_limits_tell_how_many_jobs_run_and_wait(door: Door, engine: Engine) -> None:
    await publish(engine, note=ANYTHING)
    ids = await enqueue_many(door, [{"type": "note", "concurrency_key": "a"}] * 4 + [{"type": "note"}] * 2)
    # As the scheduler releases them.
    door.sql("update job set state = 'ready', reason = null where id::text = any(%s)", ids[:1])
    door.sql("update job set state = 'canceled', finished_at = now() where id::text = any(%s)", ids[1:2])
    await put(door, "b", {"max_running": 1})
    listed = (await door.get(LIMITS, role="viewer")).json()
    assert [(key["concurrency_key"], key["running"], key["waiting"]) for key in listed["limits"]] == [
        ("a", 1, 2), ("b", 0, 0),
    ]  # fmt: skip
    first = (await door.get(f"{LIMITS}?limit=1")).json()
    second = (await door.get(f"{LIMITS}?limit=1&cursor={first['next']}")).json()
    assert [page["limits"][0]["concurrency_key"] for page in (first, second)] == ["a", "b"]
    assert second["next"] is None


async def test_a_job_counts_against_a_limit_that_was_set_before_it(door: Door, engine: Engine) -> None:
    await publish(engine, note=ANYTHING)
    await put(door, "a", {"max_running": 7})
    await enqueue_many(door, [{"type": "note", "concurrency_key": "a"}])
    shown = (await door.get(f"{LIMITS}/a")).json()
    assert (shown["max_running"], shown["waiting"]) == (7, 1)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "max_running"),
        ({"max_running": -1}, "max_running"),
        ({"max_running": 1_000_001}, "max_running"),
        ({"max_running": 1, "rate_count": 5}, "rate_seconds"),
        ({"max_running": 1, "rate_seconds": 5}, "rate_count"),
        ({"max_running": 1, "rate_count": 0, "rate_seconds": 5}, "rate_count"),
        ({"max_running": 1, "rate_count": 1, "rate_seconds": 0}, "rate_seconds"),
        ({"max_running": 1, "colour": "red"}, "colour"),
    ],
)
async def test_a_bad_limit_is_told_by_field(shared_door: Door, body: dict[str, Any], field: str) -> None:
    answer = await put(shared_door, "k", body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    assert shared_door.sql("select count(*) from limit_key") == [(0,)]


@pytest.mark.parametrize("key", ["a%00b", "x" * 256])
async def test_a_key_that_cannot_be_is_told(shared_door: Door, key: str) -> None:
    answer = await put(shared_door, key, {"max_running": 1})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "key")
