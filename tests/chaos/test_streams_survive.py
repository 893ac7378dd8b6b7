"""ingest is killed again and again while clients read: with Last-Event-ID nothing is missing, nothing comes twice."""

import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any, Final

import anyio
import httpx

from deploy.embedded.postgres import free_port
from deploy.embedded.stack import ServiceProcess
from shared.loop import Bell
from tests.cluster import Cluster
from tests.database import TestDatabase
from tests.engine import SUCCEEDED, Engine, open_engine
from tests.service.ingest.door import NO_TLS, enter_tokens
from tests.service.ingest.packing import pack
from tests.service.ingest.scribe import Scribe, run_of, start_scribes

KILLS: Final = 10
JOBS: Final = 4
CLIENTS: Final = 2  # of each kind of stream
_PATIENCE_SECONDS: Final = 90.0
ALL: Final = "/api/v1/stream/logs"


class Client:
    """Follows a stream as a browser does: at every cut it goes on after the last event, at whoever answers."""

    def __init__(self, path: str, token: str, ports: list[int], bell: Bell) -> None:
        self.path = path
        self.token = token
        self._ports = itertools.cycle(ports)
        # Rung at every event.
        self._bell = bell
        self.last_id: str | None = "0-0" if path == ALL else None
        self.heard: list[dict[str, Any]] = []
        self._ended = False
        self.cuts = 0

    async def follow(self, done: Callable[["Client"], bool]) -> None:
        """Read until the stream's `end`, or until it is `done`."""
        while not self.has_ended():
            headers = {"authorization": f"Bearer {self.token}"}
            if self.last_id is not None:
                headers["last-event-id"] = self.last_id
            url = f"http://127.0.0.1:{next(self._ports)}{self.path}"
            with suppress(httpx.TransportError):
                async with (
                    httpx.AsyncClient(trust_env=False, verify=NO_TLS, timeout=30) as client,
                    client.stream("GET", url, headers=headers) as answer,
                ):
                    async for name, event_id, data in _events(answer):
                        self._take(name, event_id, data)
                        if self.has_ended() or done(self):
                            return
            self.cuts += 1
            # A port nobody listens on answers at once: others must have their turn.
            await anyio.lowlevel.checkpoint()

    def has_ended(self) -> bool:
        """Whether the stream has told its end."""
        return self._ended

    def _take(self, name: str, event_id: str | None, data: dict[str, Any]) -> None:
        assert name in ("message", "end"), name
        self.last_id = event_id or self.last_id
        if name == "end":
            self._ended = True
        else:
            self.heard.append(data)
            self._bell.ring()

    def told(self, job_id: str) -> str:
        """What was told of a job, whose chunks must have come in their order, each once."""
        own = [event for event in self.heard if event.get("job_id", job_id) == job_id]
        assert [event["seq"] for event in own] == list(range(1, len(own) + 1)), self.path
        return "".join(event["text"] for event in own)


async def _events(answer: httpx.Response) -> AsyncIterator[tuple[str, str | None, dict[str, Any]]]:
    rest = b""
    async for received in answer.aiter_bytes():
        *events, rest = (rest + received).split(b"\n\n")
        for event in events:
            fields = dict(line.partition(": ")[::2] for line in event.decode().split("\n"))
            if "data" in fields:
                yield fields.get("event", "message"), fields.get("id"), json.loads(fields["data"])


async def test_ten_deaths_of_ingest_cost_no_reader_a_line(database: TestDatabase, cluster: Cluster) -> None:
    token = enter_tokens(database)["viewer"]
    ports = [free_port(), free_port()]
    replicas = [cluster.start("ingest", listen_port=str(port)) for port in ports]
    written: dict[str, str] = {}
    bell = Bell()
    over = False
    async with open_engine(database) as engine:
        scribes = await start_scribes(engine, [f"job{number}" for number in range(JOBS)])
        run_id = run_of(engine, scribes[0].job.job_id)
        paths = [*(scribe.path for scribe in scribes), f"/api/v1/stream/runs/{run_id}/logs", ALL]
        clients = [
            Client(path, token, ports[number:] + ports[:number], bell)
            for path, number in itertools.product(paths, range(CLIENTS))
        ]

        def has_all(client: Client) -> bool:
            """The stream of everything does not end by itself."""
            heard = sum(len(event["text"]) for event in client.heard)
            return client.path == ALL and over and heard == sum(map(len, written.values()))

        with anyio.fail_after(_PATIENCE_SECONDS):
            async with anyio.create_task_group() as readers:
                for client in clients:
                    readers.start_soon(client.follow, has_all)
                async with anyio.create_task_group() as writers:
                    dying = anyio.Event()
                    for scribe in scribes:
                        writers.start_soon(_write_until, dying, scribe, written)
                    await _kill_in_turn(replicas, ports, clients, bell)
                    dying.set()
                for scribe in scribes:
                    written[str(scribe.job.job_id)] += "the end\n"
                over = True
                for scribe in scribes:
                    await scribe.write(b"the end\n")
                await _finish(engine, scribes)
    for client in clients:
        assert client.cuts > 0
        for scribe in scribes:
            job_id = str(scribe.job.job_id)
            if client.path in (scribe.path, *paths[JOBS:]):
                assert client.told(job_id) == written[job_id], client.path


async def _write_until(dying: anyio.Event, scribe: Scribe, written: dict[str, str]) -> None:
    job_id = str(scribe.job.job_id)
    written[job_id] = ""
    for number in itertools.count():
        if dying.is_set():
            return
        line = f"{scribe.job.job_id} {number} é{'x' * (number % 50)}\n"
        await scribe.write(line.encode(), stderr=number % 5 == 0)
        written[job_id] += line


async def _kill_in_turn(replicas: list[ServiceProcess], ports: list[int], clients: list[Client], bell: Bell) -> None:
    """Kill one replica after the other, each time after every client has heard something since."""
    for number in range(KILLS):
        await _is_ready(ports[number % 2])
        heard = [len(client.heard) for client in clients]
        while not all(len(client.heard) > count for client, count in zip(clients, heard, strict=True)):
            await bell.wait(_PATIENCE_SECONDS)
            bell.hush()
        victim = replicas[number % 2]
        assert victim.process is not None
        victim.process.kill()
        victim.process.wait()
        victim.start()


async def _is_ready(port: int) -> None:
    async with httpx.AsyncClient(trust_env=False, verify=NO_TLS) as client:
        while True:
            with suppress(httpx.TransportError):
                if (await client.get(f"http://127.0.0.1:{port}/ready")).status_code == 200:
                    return


async def _finish(engine: Engine, scribes: list[Scribe]) -> None:
    """End the jobs, and have their logs packed while they may still be read."""
    for scribe in scribes:
        await engine.finish(scribe.executor_id, scribe.job, SUCCEEDED)
        await pack(engine, scribe.job.job_id)
    engine.sql("update run set state = 'succeeded', finished_at = now()")
    engine.sql("select ring('event_recorded')")
