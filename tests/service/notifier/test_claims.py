"""Claims: a slow target holds up nobody, and nobody writes under a claim that is not theirs."""

from datetime import UTC, datetime, timedelta
from functools import partial

import anyio
import psycopg
import pytest
from anyio.abc import ByteStream

from services.notifier.claim_notifications import Limits, Slots
from services.notifier.claim_notifications import claim_notifications as claim_step
from services.notifier.finish_notifications import Finisher, Result
from services.notifier.plan_retry import Decision
from services.notifier.queries.claim_notifications import ClaimNotificationsRow, claim_notifications
from shared.db import Pool, open_pool, query
from shared.ids import NotificationId
from shared.loop import Bell
from shared.queries.models import NotificationState
from shared.stop import Stop
from tests.service.notifier.drive import LIMITS, look_once, make_means, running
from tests.service.notifier.outbox import Outbox
from tests.service.notifier.target import Received, never, respond, run_target

DELIVERED = Decision(NotificationState.DELIVERED)


async def claim(pool: Pool, now: datetime | None = None) -> dict[NotificationId, int]:
    """Claim as a notifier does; returns the epochs."""
    rows = await query(
        pool,
        lambda connection: claim_notifications(
            connection, now=now, max_per_channel=4, max_notifications=64, claim_seconds=30
        ),
    )
    return {row.notification_id: row.claim_epoch for row in rows}


async def look_in_vain(pool: Pool, finisher: Finisher) -> float:
    """Let the loop look once, where it has nothing to start; returns the seconds until it would look again."""

    def start(_claimed: ClaimNotificationsRow, _lapses_at: float) -> None:
        pytest.fail("nothing should have been claimed")

    return await claim_step(pool, limits=LIMITS, slots=Slots(64, Bell()), finisher=finisher, start=start)


async def test_a_silent_target_delays_no_other_channel(outbox: Outbox, pool: Pool) -> None:
    async with run_target(never) as silent, run_target(respond(200)) as prompt:
        slow = outbox.add_channel(silent.url(), name="slow")
        waiting = [outbox.add(slow) for _ in range(10)]
        async with running(outbox, pool, make_means(outbox), listen=True) as stop:
            await silent.wait_for(4)
            for number in range(1, 4):
                outbox.add(outbox.add_channel(prompt.url()))
                await prompt.wait_for(number)
            assert len(silent.received) == 4, "no more than four at a time to one channel"
            stop.request_urgently()
    assert sum(outbox.row(notification).claimed for notification in waiting) == 4


async def test_messages_of_a_slow_channel_go_on_as_soon_as_one_is_through(outbox: Outbox, pool: Pool) -> None:
    let_go = anyio.Event()

    async def answer_when_let_go(_received: Received, stream: ByteStream) -> None:
        await let_go.wait()
        await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with run_target(answer_when_let_go) as target:
        channel = outbox.add_channel(target.url())
        notifications = [outbox.add(channel) for _ in range(10)]
        # It polls once an hour: only the end of a delivery can make it look again.
        async with running(outbox, pool, make_means(outbox)):
            await target.wait_for(4)
            let_go.set()
            await target.wait_for(10)
    assert {outbox.row(notification).state for notification in notifications} == {"delivered"}


async def test_all_notifiers_together_keep_to_the_limit_of_a_channel(outbox: Outbox, pool: Pool) -> None:
    channel = outbox.add_channel("http://127.0.0.1:9/")
    for _ in range(6):
        outbox.add(channel)
    assert len(await claim(pool)) == 4
    assert len(await claim(pool)) == 0


async def test_a_claim_lapses_and_its_epoch_with_it(outbox: Outbox, pool: Pool) -> None:
    notification = outbox.add(outbox.add_channel("http://127.0.0.1:9/"))
    assert await claim(pool) == {notification: 1}
    assert await claim(pool) == {}
    assert await claim(pool, now=datetime.now(UTC) + timedelta(seconds=31)) == {notification: 2}


@pytest.mark.parametrize(
    "decision", [DELIVERED, Decision(NotificationState.DEAD, "x"), Decision(NotificationState.PENDING, "x", 5)]
)
async def test_a_result_under_a_stale_claim_is_refused(
    outbox: Outbox, pool: Pool, decision: Decision, caplog: pytest.LogCaptureFixture
) -> None:
    notification = outbox.add(outbox.add_channel("http://127.0.0.1:9/"))
    await claim(pool)
    outbox.lapse_claims()
    await claim(pool)
    before = outbox.row(notification)
    await Finisher(pool, Stop()).finish(Result(notification, 1, decision), lapses_at=0)
    after = outbox.row(notification)
    assert (after.state, after.claim_epoch, after.claimed, after.last_error) == (
        before.state,
        before.claim_epoch,
        before.claimed,
        before.last_error,
    )
    assert "1 of 1 results came too late" in caplog.text


async def test_a_result_does_not_revive_what_has_ended(outbox: Outbox, pool: Pool) -> None:
    notification = outbox.add(outbox.add_channel("http://127.0.0.1:9/"))
    await claim(pool)
    finisher = Finisher(pool, Stop())
    await finisher.finish(Result(notification, 1, DELIVERED), lapses_at=0)
    await finisher.finish(Result(notification, 1, Decision(NotificationState.PENDING, "x", 5)), lapses_at=0)
    assert outbox.row(notification).state == "delivered"


async def test_results_that_gather_are_written_together(outbox: Outbox, pool: Pool) -> None:
    channel = outbox.add_channel("http://127.0.0.1:9/")
    for _ in range(4):
        outbox.add(channel)
    claimed = await claim(pool)
    finisher = Finisher(pool, Stop())
    async with anyio.create_task_group() as writers:
        for notification, epoch in claimed.items():
            writers.start_soon(partial(finisher.finish, Result(notification, epoch, DELIVERED), lapses_at=0))
    assert {outbox.row(notification).state for notification in claimed} == {"delivered"}


async def test_a_lost_database_makes_the_result_wait_and_not_the_message_repeat(
    outbox: Outbox, pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    async def cut_connections(_received: Received, stream: ByteStream) -> None:
        with psycopg.connect(outbox.database.dsn(), autocommit=True) as admin:
            admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'howdah_notifier'")
        await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with run_target(cut_connections) as target:
        notification = outbox.add(outbox.add_channel(target.url()))
        assert await look_once(pool, make_means(outbox)) == 1
    assert "cannot write down 1 results yet" in caplog.text
    assert len(target.received) == 1
    row = outbox.row(notification)
    assert (row.state, row.claim_epoch) == ("delivered", 1)


async def test_results_of_an_outage_are_written_before_anything_is_claimed(outbox: Outbox, pool: Pool) -> None:
    """Else a message that was delivered just before the outage would be claimed again after it."""
    notification = outbox.add(outbox.add_channel("http://127.0.0.1:9/"))
    await claim(pool)
    finisher = Finisher(pool, Stop())
    async with open_pool(outbox.database.dsn("notifier"), name="cut off", max_size=1) as lost:
        finisher._pool = lost
    async with anyio.create_task_group() as waiting:
        waiting.start_soon(partial(finisher.finish, Result(notification, 1, DELIVERED), lapses_at=0))
        await anyio.wait_all_tasks_blocked()  # it has failed once, and waits to try again
        assert outbox.row(notification).state == "pending"
        outbox.lapse_claims()
        finisher._pool = pool
        seconds = await look_in_vain(pool, finisher)
        assert outbox.row(notification).state == "delivered"
        assert seconds > 0
        waiting.cancel_scope.cancel()


async def test_while_stopping_a_lost_database_is_waited_for_only_until_the_claim_lapses(
    outbox: Outbox, pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    notification = outbox.add(outbox.add_channel("http://127.0.0.1:9/"))
    await claim(pool)
    await pool.close()
    stop = Stop()
    stop.request()
    await Finisher(pool, stop).finish(Result(notification, 1, DELIVERED), lapses_at=anyio.current_time())
    assert "it will be sent again" in caplog.text
    assert outbox.row(notification).claimed


async def test_a_full_channel_makes_nobody_spin(outbox: Outbox, pool: Pool) -> None:
    channel = outbox.add_channel("http://127.0.0.1:9/")
    for _ in range(6):
        outbox.add(channel)
    await claim(pool)
    seconds = await look_in_vain(pool, Finisher(pool, Stop()))
    assert seconds >= 0.8 * LIMITS.poll_seconds


async def test_the_loop_sleeps_until_the_next_message_is_due(outbox: Outbox, pool: Pool) -> None:
    outbox.add(outbox.add_channel("http://127.0.0.1:9/"))
    outbox.execute("update notification set due_at = now() + interval '100 seconds'")
    seconds = await look_in_vain(pool, Finisher(pool, Stop()))
    assert 50 < seconds <= 100


async def test_a_claim_that_is_about_to_lapse_is_not_used(outbox: Outbox, pool: Pool) -> None:
    async with run_target(respond(200)) as target:
        notification = outbox.add(outbox.add_channel(target.url()))
        late = Limits(at_once=64, at_once_per_channel=4, claim_seconds=0.5, poll_seconds=3600)
        assert await look_once(pool, make_means(outbox), limits=late) == 1
    assert not target.received
    row = outbox.row(notification)
    assert (row.state, row.claimed, row.last_error) == ("pending", True, None)


async def test_the_first_stop_finishes_what_is_under_way(outbox: Outbox, pool: Pool) -> None:
    let_go = anyio.Event()

    async def answer_when_let_go(_received: Received, stream: ByteStream) -> None:
        await let_go.wait()
        await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with run_target(answer_when_let_go) as target:
        channel = outbox.add_channel(target.url())
        under_way = outbox.add(channel)
        async with running(outbox, pool, make_means(outbox), limits=LIMITS, listen=True) as stop:
            await target.wait_for(1)
            stop.request()
            later = outbox.add(channel)
            let_go.set()
    assert outbox.row(under_way).state == "delivered"
    assert outbox.row(later).claim_epoch == 0


async def test_the_second_stop_leaves_at_once_and_the_claim_stays(outbox: Outbox, pool: Pool) -> None:
    async with run_target(never) as target:
        notification = outbox.add(outbox.add_channel(target.url()))
        async with running(outbox, pool, make_means(outbox)) as stop:
            await target.wait_for(1)
            stop.request()
            stop.request()
    row = outbox.row(notification)
    assert (row.state, row.claim_epoch, row.claimed) == ("pending", 1, True)
