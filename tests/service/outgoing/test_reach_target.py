"""A request goes to an address that was checked, once, and says what the connection needs whatever its caller says."""

from ipaddress import ip_address

import anyio

from shared.outgoing.guard_address import Address, parse_networks
from shared.outgoing.outcome import Answered, Failed
from shared.outgoing.reach_target import reach_target
from shared.outgoing.read_url import read_url
from shared.outgoing.resolve_target import HostLookup, HostNotFoundError
from shared.outgoing.send_request import Request
from tests.service.notifier.target import Answer, Received, respond, run_target

LOOPBACK = parse_networks(["127.0.0.0/8"])


async def exchange(request: Request, answer: Answer) -> tuple[Answered, Received]:
    async with run_target(answer) as target:
        outcome = await reach_target(
            read_url(target.url()), request, allowed=LOOPBACK, lookup=HostLookup(), within_seconds=60
        )
    assert isinstance(outcome, Answered)
    return outcome, target.received[0]


async def test_a_refused_address_is_final_and_gets_nothing() -> None:
    async with run_target(respond(200)) as target:
        outcome = await reach_target(
            read_url(target.url()), Request(), allowed=[], lookup=HostLookup(), within_seconds=60
        )
    assert outcome == Failed(
        "127.0.0.1 leads to 127.0.0.1, which is loopback; HOWDAH_ALLOWED_NETWORKS can allow it", for_good=True
    )
    assert not target.received


async def test_a_name_that_is_not_found_may_be_found_later() -> None:
    async def nothing(host: str) -> list[Address]:
        raise HostNotFoundError(f"{host} cannot be looked up: no answer")

    outcome = await reach_target(
        read_url("https://hooks.example.org"), Request(), allowed=[], lookup=nothing, within_seconds=60
    )
    assert outcome == Failed("hooks.example.org cannot be looked up: no answer")


async def test_a_silent_name_server_holds_nothing_up_beyond_the_deadline() -> None:
    async def silence(_host: str) -> list[Address]:
        await anyio.sleep_forever()
        return []

    outcome = await reach_target(
        read_url("https://hooks.example.org"), Request(), allowed=[], lookup=silence, within_seconds=0.01
    )
    assert outcome == Failed("hooks.example.org was not looked up within 0 s")


async def test_the_address_is_looked_up_once() -> None:
    asked: list[str] = []

    async def changing(host: str) -> list[Address]:
        asked.append(host)
        return [ip_address("127.0.0.1" if len(asked) == 1 else "10.0.0.1")]

    async with run_target(respond(204)) as target:
        outcome = await reach_target(
            read_url(target.url(host="hooks.example.org")),
            Request(),
            allowed=LOOPBACK,
            lookup=changing,
            within_seconds=60,
        )
    assert isinstance(outcome, Answered)
    assert asked == ["hooks.example.org"]
    assert target.received[0].headers["host"] == f"hooks.example.org:{target.port}"


async def test_a_method_without_a_body_names_no_length() -> None:
    _, received = await exchange(Request(method="GET"), respond(200))
    assert received.method == "GET"
    assert "content-length" not in received.headers
    _, received = await exchange(Request(method="POST"), respond(200))
    assert received.headers["content-length"] == "0"


async def test_headers_of_the_caller_replace_ours_but_for_those_of_the_connection() -> None:
    request = Request(
        b"{}",
        {"USER-AGENT": "mine", "Host": "elsewhere", "Content-Length": "99", "connection": "keep-alive", "X-A": "b"},
    )
    _, received = await exchange(request, respond(200))
    assert received.headers["user-agent"] == "mine"
    assert received.headers["host"].startswith("127.0.0.1:")
    assert received.headers["content-length"] == "2"
    assert received.headers["connection"] == "close"
    assert received.headers["x-a"] == "b"
    assert received.body == b"{}"


async def test_the_answer_says_whether_it_is_all_there() -> None:
    answered, _ = await exchange(Request(most_body_bytes=5), respond(200, {"X-B": "c"}, b"12345"))
    assert (answered.body, answered.complete) == (b"12345", True)
    assert ("x-b", "c") in answered.headers
    answered, _ = await exchange(Request(most_body_bytes=5), respond(200, body=b"123456"))
    assert (answered.body, answered.complete) == (b"12345", False)


async def test_an_answer_to_head_has_no_body() -> None:
    answered, _ = await exchange(Request(method="HEAD"), respond(200, {"Content-Type": "text/plain"}))
    assert (answered.status, answered.body, answered.complete) == (200, b"", True)
