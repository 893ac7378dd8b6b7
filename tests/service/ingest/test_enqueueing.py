"""`POST /jobs`: one job or many, all or nothing; every refusal names the entry and the field."""

import json
from typing import Any
from uuid import UUID

import pytest

from tests.database import Server
from tests.engine import Engine, open_engine
from tests.service.ingest.door import Door, open_door
from tests.service.ingest.publishing import ANYTHING, EMAIL_SCHEMA, enqueue, publish

JOBS = "/api/v1/jobs"
EMAIL = {"type": "send_email", "payload": {"to": ["ada@example.org"]}}


@pytest.fixture(scope="module")
async def quiet_door(server: Server) -> Any:
    """With the types `send_email` and `note`; for tests that leave no job behind."""
    with server.create_database() as database:
        async with open_door(database) as door, open_engine(database) as engine:
            await publish(engine, send_email=EMAIL_SCHEMA, note=ANYTHING)
            yield door


@pytest.fixture
async def busy_door(door: Door, engine: Engine) -> Door:
    await publish(engine, send_email=EMAIL_SCHEMA, note=ANYTHING)
    return door


async def test_a_job_is_stored_with_everything_that_was_said_of_it(busy_door: Door) -> None:
    payload = '{"to": ["ada@example.org"], "subject": "caf\\u00e9 \U0001f418"}'
    body = (
        '{"type": "send_email", "queue": "mail", "labels": ["b", "a"], "priority": 7, "max_attempts": 2,'
        ' "timeout_seconds": 9, "metadata": {"order": 7}, "retry": {"first_seconds": 1},'
        ' "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",'
        f' "run_at": "2031-01-01T00:00:00+01:00", "idempotency_key": "k", "payload": {payload}}}'
    )
    async with busy_door.client("developer") as client:
        answer = await client.post(JOBS, content=body.encode())
    assert answer.status_code == 201, answer.text
    job = answer.json()
    assert answer.headers["location"] == f"{JOBS}/{job['job_id']}"
    assert (job["job_type"], job["queue"], job["labels"], job["priority"]) == ("send_email", "mail", ["a", "b"], 7)
    assert (job["state"], job["reason"], job["run_at"]) == ("scheduled", "asked", "2030-12-31T23:00:00Z")
    assert (job["max_attempts"], job["metadata"], job["enqueued_by"]) == (2, {"order": 7}, "token:developer")
    ((stored, timeout, retry, traceparent),) = busy_door.sql(
        "select payload, timeout_seconds, retry, traceparent from job_spec"
    )
    assert stored == json.loads(payload)
    assert (timeout, retry["first_seconds"], traceparent[:3]) == (9, 1.0, "00-")


async def test_what_is_left_out_is_as_the_handler_has_it(busy_door: Door) -> None:
    job = (await busy_door.post(JOBS, EMAIL)).json()
    assert (job["state"], job["queue"], job["max_attempts"], job["priority"]) == ("ready", "default", 3, 0)


async def test_a_replay_is_answered_with_the_earlier_job(busy_door: Door) -> None:
    first = await busy_door.post(JOBS, {**EMAIL, "idempotency_key": "k"})
    again = await busy_door.post(JOBS, {**EMAIL, "idempotency_key": "k"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert again.headers["location"] == first.headers["location"]
    assert busy_door.sql("select count(*) from job") == [(1,)]


@pytest.mark.parametrize("change", [{"payload": {"to": ["bob@example.org"]}}, {"queue": "other"}])
async def test_a_key_for_another_payload_or_queue_is_a_conflict(busy_door: Door, change: dict[str, Any]) -> None:
    first = await busy_door.post(JOBS, {**EMAIL, "idempotency_key": "k"})
    other = {**EMAIL, "idempotency_key": "k", **change}
    answer = await busy_door.post(JOBS, other)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (409, "idempotency_key")
    assert first.json()["job_id"] in answer.json()["detail"]
    answer = await busy_door.post(JOBS, [EMAIL, other])
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (409, "[1].idempotency_key")
    assert busy_door.sql("select count(*) from job") == [(1,)]


async def test_an_array_is_enqueued_in_order_and_says_what_was_new(busy_door: Door) -> None:
    keyed = [{**EMAIL, "idempotency_key": f"k{number}"} for number in range(3)]
    first = await busy_door.post(JOBS, keyed)
    assert first.status_code == 201
    ids = [UUID(job["job_id"]) for job in first.json()["jobs"]]
    assert ids == sorted(set(ids))
    assert all(job["created"] for job in first.json()["jobs"])
    mixed = await busy_door.post(JOBS, [keyed[1], EMAIL])
    assert (mixed.status_code, [job["created"] for job in mixed.json()["jobs"]]) == (201, [False, True])
    assert mixed.json()["jobs"][0]["job_id"] == str(ids[1])
    again = await busy_door.post(JOBS, keyed)
    assert (again.status_code, [job["created"] for job in again.json()["jobs"]]) == (200, [False] * 3)
    assert (await busy_door.post(JOBS, [])).json() == {"jobs": []}


async def test_ten_thousand_jobs_are_one_call_and_one_more_is_too_many(busy_door: Door) -> None:
    jobs = [{"type": "note", "payload": number} for number in range(10_000)]
    answer = await busy_door.post(JOBS, jobs)
    assert answer.status_code == 201
    ids = [job["job_id"] for job in answer.json()["jobs"]]
    stored = busy_door.sql("select s.job_id::text from job_spec s order by (s.payload)::text::int")
    assert [job_id for (job_id,) in stored] == ids
    answer = await busy_door.post(JOBS, [*jobs, jobs[0]])
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body")
    assert busy_door.sql("select count(*) from job") == [(10_000,)]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"type": "Send"}, "type"),
        ({"type": None}, "type"),
        ({"queue": "a b"}, "queue"),
        ({"queue": ""}, "queue"),
        ({"labels": ["a\n"]}, "labels[0]"),
        ({"labels": ["x"] * 21}, "labels"),
        ({"run_at": "tomorrow"}, "run_at"),
        ({"run_at": "2031-01-01T00:00:00"}, "run_at"),
        ({"run_at": "0001-01-01T00:00:00+05:00"}, "run_at"),
        ({"run_at": "9999-12-31T23:59:59-05:00"}, "run_at"),
        ({"run_at": "2031-01-01T00:00:00Z", "delay_seconds": 1}, "delay_seconds"),
        ({"delay_seconds": -1}, "delay_seconds"),
        ({"priority": 101}, "priority"),
        ({"priority": 1.5}, "priority"),
        ({"max_attempts": 0}, "max_attempts"),
        ({"timeout_seconds": 604801}, "timeout_seconds"),
        ({"idempotency_key": ""}, "idempotency_key"),
        ({"idempotency_key": "a\0b"}, "idempotency_key"),
        ({"idempotency_key": "x" * 256}, "idempotency_key"),
        ({"idempotency_seconds": 0}, "idempotency_seconds"),
        ({"concurrency_key": ""}, "concurrency_key"),
        ({"retry": {"first_seconds": 0}}, "retry"),
        ({"retry": {"tries": 3}}, "retry.tries"),
        ({"metadata": []}, "metadata"),
        ({"metadata": {"a": {"b": "\0"}}}, "metadata.a.b"),
        ({"traceparent": "00-1"}, "traceparent"),
        ({"colour": "red"}, "colour"),
        ({"payload": {"to": []}}, "payload.to"),
        ({"payload": {"to": ["x"]}}, "payload.to[0]"),
        ({"payload": {"to": ["ada"], "cc": []}}, "payload"),
        ({"payload": None}, "payload"),
        ({"payload": {"to": ["ada\0"]}}, "payload.to[0]"),
        ({"payload": {"to\0": []}}, "payload"),
    ],
)  # fmt: skip
async def test_a_bad_job_is_told_by_entry_and_field_and_leaves_nothing(
    quiet_door: Door, change: dict[str, Any], field: str
) -> None:
    alone = await quiet_door.post(JOBS, {**EMAIL, **change})
    assert alone.status_code == 422, alone.text
    assert alone.headers["content-type"] == "application/problem+json"
    assert alone.json()["errors"][0]["field"] == field
    among = await quiet_door.post(JOBS, [EMAIL, {**EMAIL, **change}])
    assert (among.status_code, among.json()["errors"][0]["field"]) == (422, f"[1].{field}")
    assert quiet_door.sql("select count(*) from job") == [(0,)]


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ("NaN", "NaN is no number"),
        ('{"a": [1, -Infinity]}', "-Infinity is no number"),
        ('{"a": 1, "b": {"c": 1, "c": 2}}', "'c' comes twice"),
        ('{"a": 1, "a": NaN}', "'a' comes twice"),
        ("1e999", "larger than a double"),
        ("1" * 400, "more than 309 digits"),
        ('"\\ud800"', "half of a character"),
        ("[" * 101 + "]" * 101, "nested deeper"),
        ("[" * 300_000 + "]" * 300_000, "nested deeper"),
        ('{"a":' * 200 + "1" + "}" * 200, "nested deeper"),
    ],
)
async def test_json_that_readers_disagree_about_is_refused_by_name(
    quiet_door: Door, payload: str, message: str
) -> None:
    async with quiet_door.client() as client:
        for body in (f'{{"type": "note", "payload": {payload}}}', f'[{{"type": "note", "payload": {payload}}}]'):
            answer = await client.post(JOBS, content=body.encode())
            assert answer.status_code == 422, answer.text
            assert message in answer.json()["detail"]
    assert quiet_door.sql("select count(*) from job") == [(0,)]


async def test_escapes_that_only_look_doubtful_are_text(busy_door: Door) -> None:
    body = b'{"type": "note", "payload": "\\\\u0000 \\ud83d\\udc18"}'
    async with busy_door.client() as client:
        assert (await client.post(JOBS, content=body)).status_code == 201
    assert busy_door.sql("select payload #>> '{}' from job_spec") == [("\\u0000 \U0001f418",)]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"type": "\xff"}', b"\xef\xbb\xbf{}", b"x" * 100])
async def test_a_body_that_is_no_json_is_the_senders_fault(quiet_door: Door, body: bytes) -> None:
    async with quiet_door.client() as client:
        answer = await client.post(JOBS, content=body)
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:howdah:problem:bad-json")


async def test_an_unknown_type_is_answered_with_those_that_are_known(quiet_door: Door) -> None:
    answer = await quiet_door.post(JOBS, [EMAIL, {"type": "send_emial"}])
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "[1].type")
    assert "did you mean send_email? The types are note, send_email" in answer.json()["detail"]


async def test_a_type_counts_as_soon_as_it_is_published_and_so_does_its_new_schema(door: Door, engine: Engine) -> None:
    answer = await door.post(JOBS, {"type": "note"})
    assert answer.status_code == 422
    assert "nor any other" in answer.json()["detail"]
    await publish(engine, note={"type": "integer"})
    await enqueue(door, payload=3)
    # Another replica, which has looked before, takes its time; one that has not, sees what is there.
    await publish(engine, note={"type": "string"})
    async with open_door(door.database, door.tokens) as other:
        assert (await other.post(JOBS, {"type": "note", "payload": 3})).status_code == 422
        await enqueue(other, payload="three")


async def test_a_schema_that_cannot_be_compiled_leaves_the_check_to_the_executor(
    door: Door, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    await publish(engine, odd={"$ref": "https://example.org/elsewhere.json"}, wrong={"type": 7})
    await enqueue(door, "odd", payload={"any": "thing"})
    await enqueue(door, "wrong", payload=None)
    assert "cannot be compiled" in caplog.text


async def test_a_payload_over_a_mebibyte_and_large_metadata_are_too_large(quiet_door: Door) -> None:
    for job, field in (
        ({"type": "note", "payload": "x" * (1 << 20)}, "payload"),
        # Spaces after commas make it more than a mebibyte only as PostgreSQL writes it.
        ({"type": "note", "payload": [{"a": 1}] * 120_000}, "payload"),
        ({"type": "note", "metadata": {"a": "x" * 65_536}}, "metadata"),
    ):
        async with quiet_door.client() as client:
            body = json.dumps([EMAIL, job], separators=(",", ":"))
            answer = await client.post(JOBS, content=body.encode())
        assert answer.status_code == 413, answer.text
        assert f"[1].{field}" in answer.json()["detail"]
    assert quiet_door.sql("select count(*) from job") == [(0,)]


async def test_a_concurrency_key_makes_its_limit_and_the_job_waits_for_it(busy_door: Door) -> None:
    job = (await busy_door.post(JOBS, {"type": "note", "concurrency_key": "tenant 7"})).json()
    assert (job["state"], job["reason"], job["concurrency_key"]) == ("blocked", "limit", "tenant 7")
    assert busy_door.sql("select name, max_running from limit_key") == [("tenant 7", 1)]
