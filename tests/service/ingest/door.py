"""A real ingest for a test: the service's own wiring, on a socket of its own, against the test's database."""

import json
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
import httpx
import psycopg

from services.ingest.__main__ import run_ingest
from services.ingest.check_token import make_token
from services.ingest.config import IngestConfig
from services.ingest.serve_http import bind_socket
from services.ingest.verify_signature import sign_github
from shared.sealing import generate_key
from shared.sign_webhook import sign_webhook, signing_key
from shared.stop import Stop
from tests.database import TestDatabase

SEALING_KEY = f"k1:{generate_key()}"
# Nothing here speaks TLS; to load the certificates of authorities for each client takes 30 ms.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
SECRET = "a-webhook-secret-for-tests"
ROLES = ("viewer", "developer", "admin")
COMMIT = "a" * 40
BEFORE = "b" * 40


class Door:
    """One replica, and a client for each role."""

    def __init__(self, database: TestDatabase, url: str, tokens: dict[str, str], stop: Stop) -> None:
        self.database = database
        self.url = url
        self.tokens = tokens
        self.stop = stop

    def client(self, role: str | None = "admin", **headers: str) -> httpx.AsyncClient:
        """Return a client with the token of a role, or with none."""
        if role is not None:
            headers["authorization"] = f"Bearer {self.tokens[role]}"
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=30, trust_env=False, verify=NO_TLS)

    async def get(self, path: str, role: str | None = "admin", **headers: str) -> httpx.Response:
        async with self.client(role, **headers) as client:
            return await client.get(path)

    async def post(self, path: str, body: object = None, role: str | None = "admin", **headers: str) -> httpx.Response:
        async with self.client(role, **headers) as client:
            return await client.post(path, json=body)

    async def patch(self, path: str, body: object) -> httpx.Response:
        async with self.client() as client:
            return await client.patch(path, json=body)

    async def delete(self, path: str) -> httpx.Response:
        async with self.client() as client:
            return await client.delete(path)

    async def add_pipeline(self, name: str = "app", **fields: object) -> dict[str, Any]:
        body = {"name": name, "repository_url": "https://github.com/you/app.git", "webhook_secret": SECRET, **fields}
        answer = await self.post("/api/v1/pipelines", body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def push(
        self,
        body: bytes,
        *,
        pipeline: str = "app",
        secret: str = SECRET,
        signature: str | bytes | None = None,
        **headers: str,
    ) -> httpx.Response:
        """Send a push as GitHub does; with the right signature, unless another is given."""
        sent = {"content-type": "application/json", "x-github-event": "push", **headers}
        shown = sign_github(secret, body) if signature is None else signature
        raw = [(name.encode(), value.encode()) for name, value in sent.items()]
        raw.append((b"x-hub-signature-256", shown.encode() if isinstance(shown, str) else shown))
        async with self.client(None) as client:
            return await client.post(f"/webhooks/{pipeline}", content=body, headers=raw)

    async def push_generic(
        self, body: bytes, *, message_id: str = "m1", at: float | None = None, secret: str = SECRET
    ) -> httpx.Response:
        """Send a push as the generic hook does."""
        timestamp = str(int(time.time() if at is None else at))
        headers = {
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": sign_webhook(
                signing_key(secret), message_id=message_id, timestamp=timestamp, body=body
            ),
        }
        async with self.client(None) as client:
            return await client.post("/webhooks/app", content=body, headers=headers)

    def sql(self, statement: str, *arguments: object) -> list[tuple[Any, ...]]:
        """Run one statement as superuser; returns its rows."""
        with psycopg.connect(self.database.dsn(), autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), arguments)
            return cursor.fetchall() if cursor.description else []


def github_push(**changes: object) -> bytes:
    """Return the body of a push as GitHub writes it, as far as it is read."""
    body: dict[str, object] = {
        "ref": "refs/heads/main",
        "before": BEFORE,
        "after": COMMIT,
        "repository": {"clone_url": "https://github.com/You/App.git", "private": False},
        "head_commit": {
            "message": "Fix the door\n\nIt squeaked.",
            "author": {"name": "Ann", "email": "ann@example.org"},
        },
    }
    return json.dumps(body | changes).encode()


def generic_push(**changes: object) -> bytes:
    """Return the body of a generic push."""
    body: dict[str, object] = {
        "ref": "refs/heads/main",
        "before": BEFORE,
        "after": COMMIT,
        "title": "Fix",
        "author": "Ann",
    }
    return json.dumps(body | changes).encode()


def without(body: bytes, *fields: str) -> bytes:
    """Return a JSON body without some of its fields; `a.b` is the field b of a."""
    document = json.loads(body)
    for field in fields:
        *path, last = field.split(".")
        inner = document
        for name in path:
            inner = inner[name]
        del inner[last]
    return json.dumps(document).encode()


def enter_tokens(database: TestDatabase) -> dict[str, str]:
    """Enter a token of each role; returns them by role."""
    tokens = {}
    with psycopg.connect(database.dsn(), autocommit=True) as connection:
        for role in ROLES:
            token = make_token()
            connection.execute(
                "insert into api_token (id, name, role, secret_hash, created_by) values (%s, %s, %s, %s, 'test')",
                [token.token_id, role, role, token.secret_hash],
            )
            tokens[role] = token.text
    return tokens


@asynccontextmanager
async def open_door(
    database: TestDatabase, tokens: dict[str, str] | None = None, **settings: Any
) -> AsyncIterator[Door]:
    """Run a replica until the block ends, then stop it in good order."""
    config = IngestConfig(
        **{"database_url": database.dsn("ingest"), "sealing_keys": [SEALING_KEY], "listen_port": 0, **settings}
    )
    tokens = enter_tokens(database) if tokens is None else tokens
    stop = Stop()
    async with AsyncExitStack() as stack:
        bound = stack.enter_context(bind_socket(config.listen_address, 0))
        tasks = await stack.enter_async_context(anyio.create_task_group())
        tasks.start_soon(run_ingest, config, bound, stop)
        door = Door(database, f"http://127.0.0.1:{bound.getsockname()[1]}", tokens, stop)
        await _until_it_answers(door)
        try:
            yield door
        finally:
            stop.request()


async def _until_it_answers(door: Door) -> None:
    with anyio.fail_after(30):
        while True:
            try:
                await door.get("/health", role=None)
            except httpx.ConnectError:
                await anyio.sleep(0.01)
            else:
                return
