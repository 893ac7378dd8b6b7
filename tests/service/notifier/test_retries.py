"""What does not get through is tried again until it is delivered or dead."""

from datetime import timedelta

from deploy.embedded.postgres import free_port
from shared.db import Pool
from shared.sealing import Sealer
from tests.service.notifier.drive import look_once, make_means
from tests.service.notifier.outbox import Outbox
from tests.service.notifier.target import respond, run_target


async def test_a_target_that_is_down_is_tried_until_it_is_up(outbox: Outbox, pool: Pool) -> None:
    port = free_port()
    notification = outbox.add(outbox.add_channel(f"http://127.0.0.1:{port}/hook"))
    for tries in range(1, 4):
        assert await look_once(pool, make_means(outbox)) == 1
        row = outbox.row(notification)
        assert (row.state, row.claim_epoch, row.claimed) == ("pending", tries, False)
        assert row.last_error == "no connection: Connection refused"
        assert row.due_in > timedelta(0)
        assert await look_once(pool, make_means(outbox)) == 0, "tried again before its time"
        outbox.make_due()
    async with run_target(respond(200), port=port) as target:
        assert await look_once(pool, make_means(outbox)) == 1
    assert [received.headers["webhook-id"] for received in target.received] == [str(notification)]
    assert outbox.row(notification).state == "delivered"


async def test_a_target_that_stays_down_ends_dead_with_the_last_reason(outbox: Outbox, pool: Pool) -> None:
    notification = outbox.add(outbox.add_channel(f"http://127.0.0.1:{free_port()}/hook"))
    means = make_means(outbox, max_tries=3)
    for _ in range(3):
        await look_once(pool, means)
        outbox.make_due()
    assert await look_once(pool, means) == 0
    row = outbox.row(notification)
    assert (row.state, row.claim_epoch) == ("dead", 3)
    assert row.last_error == "given up after 3 tries; the last one: no connection: Connection refused"
    assert row.ended_at is not None


async def test_retry_after_moves_the_next_try(outbox: Outbox, pool: Pool) -> None:
    async with run_target(respond(429, {"Retry-After": "5000"})) as target:
        notification = outbox.add(outbox.add_channel(target.url()))
        await look_once(pool, make_means(outbox))
    row = outbox.row(notification)
    assert row.state == "pending"
    assert timedelta(seconds=4900) < row.due_in <= timedelta(seconds=5500)


async def test_gone_is_dead_at_once(outbox: Outbox, pool: Pool) -> None:
    async with run_target(respond(410)) as target:
        notification = outbox.add(outbox.add_channel(target.url()))
        await look_once(pool, make_means(outbox))
    row = outbox.row(notification)
    assert (row.state, row.last_error) == ("dead", "answered 410: the target is gone")


async def test_what_slack_says_is_kept(outbox: Outbox, pool: Pool) -> None:
    async with run_target(respond(404, body=b"no_service")) as target:
        notification = outbox.add(outbox.add_channel(target.url(), kind="slack"))
        await look_once(pool, make_means(outbox))
    assert (outbox.row(notification).last_error or "").startswith("answered 404 (no_service): ")


async def test_a_message_that_ended_every_notifier_is_dead_without_another_try(outbox: Outbox, pool: Pool) -> None:
    async with run_target(respond(200)) as target:
        notification = outbox.add(outbox.add_channel(target.url()), tries=15)
        await look_once(pool, make_means(outbox))
    assert not target.received
    row = outbox.row(notification)
    assert (row.state, row.last_error) == ("dead", "given up: 15 tries came to no end")


async def test_a_key_that_is_missing_is_waited_for(outbox: Outbox, pool: Pool) -> None:
    async with run_target(respond(200)) as target:
        notification = outbox.add(outbox.add_channel(target.url()))
        known = outbox.sealer
        outbox.sealer = Sealer({"k2": b"x" * 32})
        await look_once(pool, make_means(outbox))
        row = outbox.row(notification)
        assert row.state == "pending"
        assert "no sealing key 'k1'" in (row.last_error or "")
        outbox.sealer = known
        outbox.make_due()
        await look_once(pool, make_means(outbox))
    assert outbox.row(notification).state == "delivered"
