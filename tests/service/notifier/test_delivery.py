"""A message in the outbox reaches its channel once, signed, and says what happened."""

import base64
import hashlib
import hmac
import time
from pathlib import Path

import anyio
import msgspec
import pytest

from services.notifier.claim_notifications import Limits
from shared.db import Pool
from tests.service.notifier.drive import look_once, make_means, running
from tests.service.notifier.outbox import Outbox, is_about_now, make_secret
from tests.service.notifier.target import Received, respond, run_target
from tests.unit.notifier.sample_notices import JOB_ID, NOTICES, RUN_ID

GOLDEN = Path(__file__).parents[2] / "unit" / "notifier" / "golden"


def verify_as_a_receiver_would(received: Received, secret: str) -> None:
    """Check a signature by the text of the Standard Webhooks specification, with no code of ours."""
    message_id = received.headers["webhook-id"]
    timestamp = received.headers["webhook-timestamp"]
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + received.body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert f"v1,{expected}" in received.headers["webhook-signature"].split(" ")
    assert abs(int(timestamp) - time.time()) < 300


async def test_a_message_is_delivered_once_and_its_signature_verifies(outbox: Outbox, pool: Pool) -> None:
    secret = make_secret()
    async with run_target(respond(204)) as target:
        channel = outbox.add_channel(target.url("/hook?a=b"), secret=secret)
        notification = outbox.add(channel, event="run.failed", notice=NOTICES["run.failed"])
        assert await look_once(pool, make_means(outbox)) == 1
        outbox.make_due()
        assert await look_once(pool, make_means(outbox)) == 0
    (received,) = target.received
    verify_as_a_receiver_would(received, secret)
    assert (received.method, received.resource) == ("POST", "/hook?a=b")
    assert received.headers["host"] == f"127.0.0.1:{target.port}"
    assert received.headers["content-type"] == "application/json"
    assert received.headers["user-agent"].startswith("Howdah/")
    assert received.headers["webhook-id"] == str(notification)
    body = msgspec.json.decode(received.body)
    assert body["type"] == "run.failed"
    assert body["data"]["urls"] == {
        "run": f"https://ci.example.org/runs/{RUN_ID}",
        "failing_line": f"https://ci.example.org/jobs/{JOB_ID}#L42",
    }
    assert [job["key"] for job in body["data"]["failed_jobs"]] == ["test", "lint"]
    row = outbox.row(notification)
    assert (row.state, row.claim_epoch, row.claimed, row.last_error) == ("delivered", 1, False, None)
    assert is_about_now(row.ended_at)


@pytest.mark.parametrize("kind", ["slack", "discord"])
async def test_chat_services_get_their_own_form(outbox: Outbox, pool: Pool, kind: str) -> None:
    async with run_target(respond(200, body=b"ok")) as target:
        channel = outbox.add_channel(target.url(), kind=kind)
        for number, (event, notice) in enumerate(NOTICES.items()):
            outbox.add(channel, event=event, notice=notice)
            await look_once(pool, make_means(outbox))
            received = target.received[number]
            golden = msgspec.json.decode((GOLDEN / f"{kind}-{event}.json").read_bytes())
            body = msgspec.json.decode(received.body)
            for embed in [*body.get("embeds", []), *golden.get("embeds", [])]:
                del embed["timestamp"]  # when the row was written
            assert body == golden
            assert not [name for name in received.headers if name.startswith("webhook-")]


async def test_an_unsigned_webhook_is_never_sent(outbox: Outbox, pool: Pool) -> None:
    async with run_target(respond(200)) as target:
        channel = outbox.add_channel(target.url())
        outbox.execute("update channel set sealed_secret = null")
        notification = outbox.add(channel)
        await look_once(pool, make_means(outbox))
    assert not target.received
    row = outbox.row(notification)
    assert (row.state, row.last_error) == ("dead", "the channel has no secret to sign with")


async def test_a_message_rings_and_is_delivered_without_polling(outbox: Outbox, pool: Pool) -> None:
    async with run_target(respond(200)) as target:
        channel = outbox.add_channel(target.url())
        async with running(outbox, pool, make_means(outbox), listen=True):
            for number in range(1, 4):
                outbox.add(channel)
                await target.wait_for(number)


async def test_with_notify_off_polling_delivers(outbox: Outbox, pool: Pool) -> None:
    outbox.execute(f"alter database {outbox.database.name} set howdah.notify = 'off'")
    often = Limits(at_once=64, at_once_per_channel=4, claim_seconds=120, poll_seconds=0.02)
    async with run_target(respond(200)) as target:
        channel = outbox.add_channel(target.url())
        outbox.execute("set howdah.notify = 'off'")  # this session began before
        async with running(outbox, pool, make_means(outbox), limits=often, listen=True):
            for number in range(1, 4):
                outbox.add(channel)
                await target.wait_for(number)


async def test_two_notifiers_deliver_each_message_once(outbox: Outbox, pool: Pool) -> None:
    async with run_target(respond(200)) as target:
        channels = [outbox.add_channel(target.url()) for _ in range(5)]
        notifications = [outbox.add(channel) for channel in channels for _ in range(8)]
        means = make_means(outbox)
        async with running(outbox, pool, means), running(outbox, pool, means):
            await target.wait_for(len(notifications))
    told = [received.headers["webhook-id"] for received in target.received]
    assert sorted(told) == sorted(map(str, notifications))
    assert {outbox.row(notification).state for notification in notifications} == {"delivered"}


async def test_more_messages_than_slots_are_all_delivered(outbox: Outbox, pool: Pool) -> None:
    few = Limits(at_once=3, at_once_per_channel=2, claim_seconds=120, poll_seconds=3600)
    most = 0
    under_way = 0

    async def count(_received: Received, stream: anyio.abc.ByteStream) -> None:
        nonlocal most, under_way
        under_way += 1
        most = max(most, under_way)
        await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        under_way -= 1

    async with run_target(count) as target:
        channels = [outbox.add_channel(target.url()) for _ in range(3)]
        notifications = [outbox.add(channel) for channel in channels for _ in range(5)]
        async with running(outbox, pool, make_means(outbox), limits=few):
            await target.wait_for(len(notifications))
    assert len(target.received) == len(notifications)
    assert most <= few.at_once
