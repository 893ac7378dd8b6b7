"""The real process: killed in the middle of a request, stopped by signals, and silent about secrets."""

import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import msgspec
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from tests.service.notifier.drive import DEADLINE_SECONDS
from tests.service.notifier.outbox import Outbox
from tests.service.notifier.target import never, respond, run_target
from tests.unit.notifier.sample_notices import make_notice

ROOT = Path(__file__).parents[3]


class Notifier:
    """A running process, and what it logs."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.lines: list[str] = []
        assert process.stderr is not None
        self._log = BufferedByteReceiveStream(process.stderr)

    async def wait_for_log(self, beginning: str) -> None:
        """Return once a message that begins so has been logged."""
        while True:
            line = (await self._log.receive_until(b"\n", 1_000_000)).decode()
            self.lines.append(line)
            if line.startswith("{") and msgspec.json.decode(line)["message"].startswith(beginning):
                return

    async def end(self, number: signal.Signals) -> int:
        """Send a signal; returns the exit status, negative for the signal that killed it."""
        self.process.send_signal(number)
        return await self.wait()

    async def wait(self) -> int:
        """Return the exit status, once it has ended."""
        try:
            while True:
                self.lines.append((await self._log.receive_until(b"\n", 1_000_000)).decode())
        except (anyio.EndOfStream, anyio.IncompleteRead):
            return await self.process.wait()


@asynccontextmanager
async def start_notifier(outbox: Outbox, **settings: str) -> AsyncIterator[Notifier]:
    """Start the service as an operator does, and wait until it is ready; kill it at the end of the block."""
    environment = {
        "HOWDAH_DATABASE_URL": outbox.database.dsn("notifier"),
        "HOWDAH_PUBLIC_URL": "https://ci.example.org",
        "HOWDAH_SEALING_KEYS": f"k1:{outbox.sealing_key}",
        "HOWDAH_ALLOWED_NETWORKS": "127.0.0.0/8",
        "HOWDAH_NOTIFICATION_POLL_SECONDS": "3600",
        **settings,
    }
    command = [sys.executable, "-W", "error", "-m", "services.notifier"]
    with anyio.fail_after(DEADLINE_SECONDS):
        async with await anyio.open_process(command, env=environment, cwd=ROOT, stdin=None, stdout=None) as process:
            notifier = Notifier(process)
            try:
                await notifier.wait_for_log("ready")
                yield notifier
            finally:
                if process.returncode is None:
                    process.kill()


async def test_a_killed_notifiers_claim_lapses_and_another_one_sends_the_same_id(outbox: Outbox) -> None:
    async with run_target(never) as target:
        notification = outbox.add(outbox.add_channel(target.url()))
        async with start_notifier(outbox) as first:
            await target.wait_for(1)
            assert await first.end(signal.SIGKILL) == -signal.SIGKILL
        row = outbox.row(notification)
        assert (row.state, row.claim_epoch, row.claimed) == ("pending", 1, True)
        target.answer = respond(200)
        outbox.lapse_claims()
        async with start_notifier(outbox) as second:
            await target.wait_for(2)
            assert await second.end(signal.SIGTERM) == 0
    assert {received.headers["webhook-id"] for received in target.received} == {str(notification)}
    assert len({received.headers["webhook-signature"] for received in target.received}) <= 2
    row = outbox.row(notification)
    assert (row.state, row.claim_epoch) == ("delivered", 2)


async def test_a_living_notifiers_claim_is_left_alone(outbox: Outbox) -> None:
    async with run_target(never) as target, start_notifier(outbox):
        outbox.add(outbox.add_channel(target.url()))
        await target.wait_for(1)
        async with run_target(respond(200)) as other, start_notifier(outbox) as second:
            outbox.add(outbox.add_channel(other.url()))
            await other.wait_for(1)
            assert await second.end(signal.SIGTERM) == 0
        assert len(target.received) == 1


async def test_the_second_signal_leaves_at_once(outbox: Outbox) -> None:
    async with run_target(never) as target, start_notifier(outbox) as notifier:
        notification = outbox.add(outbox.add_channel(target.url()))
        await target.wait_for(1)
        notifier.process.send_signal(signal.SIGTERM)
        await notifier.wait_for_log("finishing 1 deliveries")
        assert await notifier.end(signal.SIGTERM) == 0
    assert outbox.row(notification).claimed


async def test_neither_texts_nor_addresses_nor_secrets_are_logged(outbox: Outbox) -> None:
    hidden = ["hunter2-path", "hunter2-title", "hunter2-author", "hunter2-query", "hunter2-location", "hunter2-body"]
    notice = make_notice(title=hidden[1], author=hidden[2])
    redirect = respond(302, {"Location": f"http://127.0.0.1/{hidden[4]}"}, hidden[5].encode())
    async with run_target(redirect) as target:
        url = target.url(f"/{hidden[0]}?{hidden[3]}")
        async with start_notifier(outbox, HOWDAH_LOG_LEVEL="debug") as notifier:
            notifications = [outbox.add(outbox.add_channel(url, name="visible"), notice=notice)]
            await notifier.wait_for_log("dead: ")
            target.answer = respond(500, body=hidden[5].encode())
            notifications.append(outbox.add(outbox.add_channel(url), notice=notice))
            await notifier.wait_for_log("to be tried again: ")
            target.answer = respond(200)
            notifications.append(outbox.add(outbox.add_channel(url), notice=notice))
            await notifier.wait_for_log("delivered: ")
            assert await notifier.end(signal.SIGTERM) == 0
    log = "".join(notifier.lines)
    assert "visible" in log
    assert "127.0.0.1" in log
    assert not [text for text in [*hidden, outbox.sealing_key, "whsec_", "notifier-password"] if text in log]
    assert not any("hunter2" in (outbox.row(notification).last_error or "") for notification in notifications)


async def test_bad_settings_are_all_named_and_end_the_process(outbox: Outbox) -> None:
    environment = {"HOWDAH_DATABASE_URL": outbox.database.dsn("notifier"), "HOWDAH_NOTIFICATION_TRIES": "none"}
    done = await anyio.run_process([sys.executable, "-m", "services.notifier"], env=environment, cwd=ROOT, check=False)
    assert done.returncode == 2
    for name in ("HOWDAH_PUBLIC_URL", "HOWDAH_SEALING_KEYS", "HOWDAH_NOTIFICATION_TRIES"):
        assert name in done.stderr.decode()
