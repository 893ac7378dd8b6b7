"""Schedules: entered, checked, shown with their times and ticks, changed, paused and deleted."""

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.reckon_ticks import BadScheduleError, reckon_ticks
from tests.engine import Engine
from tests.service.ingest.door import Door
from tests.service.ingest.publishing import ANYTHING, EMAIL_SCHEMA, enqueue, publish

SCHEDULES = "/api/v1/schedules"
NIGHTLY = {
    "name": "nightly",
    "cron": "0 3 * * *",
    "timezone": "Europe/Paris",
    "job": {"type": "note", "payload": {"a": 1}},
}


@pytest.fixture
async def notes(door: Door, engine: Engine) -> Door:
    await publish(engine, note=ANYTHING, send_email=EMAIL_SCHEMA)
    return door


async def test_a_schedule_is_entered_shown_changed_paused_and_deleted(notes: Door) -> None:
    entered = await notes.post(SCHEDULES, NIGHTLY, role="developer")
    assert entered.status_code == 201, entered.text
    schedule = entered.json()
    assert (schedule["job"], schedule["catch_up"]) == ({"type": "note", "payload": {"a": 1}}, "latest")
    assert (schedule["created_by"], schedule["paused_at"]) == ("token:developer", None)
    assert len(schedule["next_at"]) == 5
    assert schedule["next_at"] == sorted(set(schedule["next_at"]))
    shown = (await notes.get(entered.headers["location"], role="viewer")).json()
    assert shown == {**schedule, "ticks": [], "next_at": shown["next_at"]}
    changed = (await notes.patch(f"{SCHEDULES}/nightly", {"cron": "*/5 * * * *", "catch_up": "all"})).json()
    assert (changed["cron"], changed["catch_up"], changed["timezone"]) == ("*/5 * * * *", "all", "Europe/Paris")
    assert changed["updated_at"] > schedule["updated_at"]
    paused = (await notes.patch(f"{SCHEDULES}/nightly", {"paused": True})).json()
    assert (paused["paused_at"] is not None, paused["next_at"]) == (True, [])
    again = (await notes.patch(f"{SCHEDULES}/nightly", {"paused": True, "timezone": "UTC"})).json()
    assert again["paused_at"] == paused["paused_at"]
    assert (await notes.patch(f"{SCHEDULES}/nightly", {"paused": False})).json()["paused_at"] is None
    assert (await notes.patch(f"{SCHEDULES}/nightly", {"job": {"type": "note"}})).json()["job"]["type"] == "note"
    assert (await notes.delete(f"{SCHEDULES}/nightly")).status_code == 204
    assert (await notes.delete(f"{SCHEDULES}/nightly")).status_code == 404
    assert (await notes.get(f"{SCHEDULES}/nightly")).status_code == 404
    assert (await notes.patch(f"{SCHEDULES}/nightly", {})).status_code == 404
    names = [name for (name,) in notes.sql("select name from audit_event order by id")]
    assert (names[0], set(names[1:-1]), names[-1]) == ("schedule.created", {"schedule.updated"}, "schedule.deleted")


async def test_the_stored_job_is_one_that_can_be_enqueued(notes: Door) -> None:
    job = {
        "type": "send_email",
        "payload": {"to": ["ada"]},
        "queue": "mail",
        "priority": 3,
        "metadata": {"a": 1},
        "concurrency_key": "k",
        "retry": {"factor": 3},
        "labels": ["x"],
        "max_attempts": 2,
        "timeout_seconds": 7,
    }
    await notes.post(SCHEDULES, {**NIGHTLY, "job": job})
    ((place, created),) = notes.sql(
        "select place, created from insert_jobs((select jsonb_build_array(job) from schedule), 'schedule:nightly')"
    )
    assert (place, created) == (0, True)
    found = (await notes.get("/api/v1/jobs?type=send_email")).json()["jobs"][0]
    assert (found["queue"], found["priority"], found["labels"], found["enqueued_by"]) == (
        "mail", 3, ["x"], "schedule:nightly",
    )  # fmt: skip


async def test_the_last_ticks_are_shown_with_what_became_of_their_jobs(notes: Door) -> None:
    schedule = (await notes.post(SCHEDULES, NIGHTLY)).json()
    job_id = await enqueue(notes)
    for minute in range(12):
        notes.sql(
            "insert into schedule_tick (schedule_id, due_at, job_id) values (%s, %s, %s)",
            schedule["schedule_id"],
            datetime(2026, 1, 1, 0, minute, tzinfo=UTC),
            job_id if minute == 11 else None,
        )
    ticks = (await notes.get(f"{SCHEDULES}/nightly", role="viewer")).json()["ticks"]
    assert [tick["due_at"][14:16] for tick in ticks] == [f"{minute:02}" for minute in range(11, 1, -1)]
    assert [(tick["job_id"], tick["state"]) for tick in ticks[:2]] == [(str(job_id), "ready"), (None, None)]


async def test_schedules_are_listed_by_name_in_pages(notes: Door) -> None:
    for name in ("c", "a", "b"):
        assert (await notes.post(SCHEDULES, {**NIGHTLY, "name": name})).status_code == 201
    first = (await notes.get(f"{SCHEDULES}?limit=2", role="viewer")).json()
    second = (await notes.get(f"{SCHEDULES}?limit=2&cursor={first['next']}")).json()
    assert [schedule["name"] for schedule in first["schedules"] + second["schedules"]] == ["a", "b", "c"]
    assert second["next"] is None
    assert (await notes.post(SCHEDULES, NIGHTLY | {"name": "a"})).status_code == 409


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "Nightly"}, "name"),
        ({"cron": "@daily"}, "cron"),
        ({"cron": "* * * *"}, "cron"),
        ({"cron": "0 * * * * *"}, "cron"),
        ({"cron": "61 * * * *"}, "cron"),
        ({"cron": "0 0 30 2 *"}, "cron"),
        ({"cron": "0 0 29 2 2#5\0"}, "cron"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"timezone": "../../etc/passwd"}, "timezone"),
        ({"catch_up": "some"}, "catch_up"),
        ({"colour": "red"}, "colour"),
        ({"job": {"type": "nothing"}}, "job.type"),
        ({"job": {"type": "send_email", "payload": {"to": []}}}, "job.payload.to"),
        ({"job": {"type": "note", "payload": "\0"}}, "job.payload"),
        ({"job": {"type": "note", "priority": 200}}, "job.priority"),
        ({"job": {"type": "note", "run_at": "2031-01-01T00:00:00Z"}}, "job.run_at"),
        ({"job": {"type": "note", "delay_seconds": 1}}, "job.delay_seconds"),
        ({"job": {"type": "note", "idempotency_key": "k"}}, "job.idempotency_key"),
    ],
)
async def test_a_bad_schedule_is_told_by_field(notes: Door, change: dict[str, Any], field: str) -> None:
    answer = await notes.post(SCHEDULES, {**NIGHTLY, **change})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field), answer.text
    assert notes.sql("select count(*) from schedule") == [(0,)]
    assert (await notes.post(SCHEDULES, NIGHTLY)).status_code == 201
    answer = await notes.patch(f"{SCHEDULES}/nightly", change)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field), answer.text
    assert notes.sql("select cron, timezone, job -> 'type' from schedule") == [("0 3 * * *", "Europe/Paris", "note")]


def test_times_follow_the_zone_through_its_changes() -> None:
    # Paris skips 02:00 to 03:00 on 29 March 2026, and repeats 02:00 to 03:00 on 25 October 2026.
    def utc(text: str) -> datetime:
        return datetime.fromisoformat(f"{text}:00+00:00")

    assert reckon_ticks("0 3 * * *", "Europe/Paris", after=utc("2026-03-28T12:00"), count=2) == [
        utc("2026-03-29T01:00"),
        utc("2026-03-30T01:00"),
    ]
    assert reckon_ticks("0 4 * * *", "Europe/Paris", after=utc("2026-10-24T12:00"), count=2) == [
        utc("2026-10-25T03:00"),
        utc("2026-10-26T03:00"),
    ]
    with pytest.raises(BadScheduleError) as raised:
        reckon_ticks("0 0 31 2 *", "UTC", after=utc("2026-01-01T00:00"), count=1)
    assert raised.value.field == "cron"
