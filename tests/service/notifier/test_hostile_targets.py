"""A target gets one bounded request to an address that was checked, and can lead us nowhere else."""

from ipaddress import ip_address

import anyio
import pytest
from anyio.abc import ByteStream

from shared.db import Pool
from shared.outgoing.guard_address import Address
from tests.service.notifier.drive import look_once, make_means
from tests.service.notifier.outbox import Outbox
from tests.service.notifier.target import Received, respond, run_target


class Names:
    """A resolver under the control of somebody who does not mean well: it answers differently each time."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)

    async def __call__(self, _host: str) -> list[Address]:
        return [ip_address(address) for address in self.answers.pop(0)]


async def test_a_private_address_is_not_connected_to(outbox: Outbox, pool: Pool) -> None:
    async with run_target(respond(200)) as target:
        notification = outbox.add(outbox.add_channel(target.url()))
        await look_once(pool, make_means(outbox, allowed=""))
    assert not target.received
    row = outbox.row(notification)
    assert row.state == "dead"
    assert row.last_error == ("127.0.0.1 leads to 127.0.0.1, which is loopback; HOWDAH_ALLOWED_NETWORKS can allow it")


async def test_a_redirect_is_not_followed(outbox: Outbox, pool: Pool) -> None:
    async with run_target(respond(200)) as inner, run_target(respond(200)) as outer:
        channel = outbox.add_channel(outer.url())
        for number, status in enumerate((301, 302, 303, 307, 308), 1):
            outer.answer = respond(status, {"Location": inner.url("/secrets")})
            notification = outbox.add(channel)
            await look_once(pool, make_means(outbox))
            assert len(outer.received) == number
            assert outbox.row(notification).state == "dead"
        assert not inner.received


async def test_a_name_that_changes_its_address_leads_nowhere_else(outbox: Outbox, pool: Pool) -> None:
    """DNS rebinding: the second answer would lead to an address that was never checked."""
    names = Names(["127.0.0.1"], ["10.0.0.1"])
    async with run_target(respond(200)) as target:
        notification = outbox.add(outbox.add_channel(target.url(host="hooks.example.org")))
        await look_once(pool, make_means(outbox, lookup=names))
    assert names.answers == [["10.0.0.1"]]
    assert [received.headers["host"] for received in target.received] == [f"hooks.example.org:{target.port}"]
    assert outbox.row(notification).state == "delivered"


async def test_a_name_with_a_private_address_among_others_is_refused(outbox: Outbox, pool: Pool) -> None:
    async with run_target(respond(200)) as target:
        notification = outbox.add(outbox.add_channel(target.url(host="hooks.example.org")))
        await look_once(pool, make_means(outbox, lookup=Names(["127.0.0.1", "10.0.0.1"])))
    assert not target.received
    assert outbox.row(notification).state == "dead"


async def test_the_next_address_is_tried_when_one_does_not_answer(outbox: Outbox, pool: Pool) -> None:
    async with run_target(respond(200)) as target:
        notification = outbox.add(outbox.add_channel(target.url(host="hooks.example.org")))
        await look_once(pool, make_means(outbox, lookup=Names(["127.0.0.9", "127.0.0.1"])))
    assert outbox.row(notification).state == "delivered"


async def test_an_answer_without_end_is_cut_off(outbox: Outbox, pool: Pool) -> None:
    sent = 0
    cut_off = anyio.Event()

    async def go_on_for_ever(_received: Received, stream: ByteStream) -> None:
        nonlocal sent
        await stream.send(b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                await stream.send(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
                sent += 0x10000
        finally:
            cut_off.set()

    async with run_target(go_on_for_ever) as target:
        notification = outbox.add(outbox.add_channel(target.url(), kind="slack"))
        await look_once(pool, make_means(outbox))
        with anyio.fail_after(30):
            await cut_off.wait()
    assert outbox.row(notification).last_error == "answered 500"
    assert sent < 64 * 1024 * 1024, "no more than what the buffers between us hold"


async def test_proxies_of_the_environment_are_not_used(
    outbox: Outbox, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would look up the name again, and connect to what it finds."""
    async with run_target(respond(200)) as proxy, run_target(respond(200)) as target:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url(""))
        outbox.add(outbox.add_channel(target.url()))
        await look_once(pool, make_means(outbox))
    assert not proxy.received
    assert len(target.received) == 1


async def test_an_address_that_is_no_plain_web_address_is_dead_at_once(outbox: Outbox, pool: Pool) -> None:
    for url in ("ftp://127.0.0.1/x", "https://user:pass@127.0.0.1/", "not an address", "http://[::1"):
        notification = outbox.add(outbox.add_channel(url))
        await look_once(pool, make_means(outbox))
        row = outbox.row(notification)
        assert row.state == "dead"
        assert url not in (row.last_error or "")


async def test_a_name_that_is_not_found_is_tried_again(outbox: Outbox, pool: Pool) -> None:
    notification = outbox.add(outbox.add_channel("https://nowhere.invalid/secret"))
    await look_once(pool, make_means(outbox))
    row = outbox.row(notification)
    assert row.state == "pending"
    assert (row.last_error or "").startswith("nowhere.invalid cannot be looked up: ")
