"""Who may do what: every route has its role, and a route that has none is public on purpose."""

import time
from typing import Any
from uuid import UUID

import pytest
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from services.ingest.authenticate import (
    require_admin,
    require_developer,
    require_page_developer,
    require_page_viewer,
    require_viewer,
)
from services.ingest.config import IngestConfig
from services.ingest.create_app import create_app
from services.ingest.report_metrics import require_metrics_reader
from services.ingest.resources import gather_resources
from services.ingest.seal_session import COOKIE_NAME, Session, begin_session, seal_session
from shared.db import open_pool
from shared.ids import TokenId
from shared.sealing import Sealer, parse_keys
from shared.stop import Stop
from tests.database import TestDatabase
from tests.service.ingest.door import SEALING_KEY, Door, open_door

GUARDS = {
    require_viewer: "viewer",
    require_developer: "developer",
    require_admin: "admin",
    require_page_viewer: "page viewer",
    require_page_developer: "page developer",
    require_metrics_reader: "viewer",
}

PUBLIC = {
    "GET /",
    "GET /login",
    "POST /login",
    "GET /health",
    "HEAD /health",
    "GET /ready",
    "HEAD /ready",
    "POST /webhooks/{pipeline}",
    "GET /docs",
    "GET /docs/{name}",
    "GET /openapi.json",
    "GET /openapi.json/openapi.json",
    "GET /openapi.json/{path}",
    "GET /static/{release}/{name}",
}

EXPECTED = {
    "GET /metrics": "viewer",
    "GET /api/v1/pipelines": "viewer",
    "POST /api/v1/pipelines": "admin",
    "GET /api/v1/pipelines/{pipeline}": "viewer",
    "PATCH /api/v1/pipelines/{pipeline}": "admin",
    "DELETE /api/v1/pipelines/{pipeline}": "admin",
    "GET /api/v1/pipelines/{pipeline}/deliveries": "developer",
    "POST /api/v1/pipelines/{pipeline}/runs": "developer",
    "GET /api/v1/pipelines/{pipeline}/runs/{number}": "viewer",
    "GET /api/v1/runs": "viewer",
    "GET /api/v1/runs/{run}": "viewer",
    "GET /api/v1/runs/{run}/jobs": "viewer",
    "GET /api/v1/runs/{run}/notifications": "viewer",
    "POST /api/v1/runs/{run}/cancel": "developer",
    "POST /api/v1/runs/{run}/rerun": "developer",
    "POST /api/v1/jobs": "developer",
    "GET /api/v1/jobs": "viewer",
    "GET /api/v1/dead-letters": "viewer",
    "GET /api/v1/jobs/report": "viewer",
    "POST /api/v1/jobs/cancel": "developer",
    "POST /api/v1/jobs/redrive": "developer",
    "POST /api/v1/jobs/discard": "developer",
    "POST /api/v1/jobs/{job}/redrive": "developer",
    "POST /api/v1/jobs/{job}/discard": "developer",
    "GET /api/v1/job-types": "viewer",
    "GET /api/v1/job-types/{job_type}": "viewer",
    "GET /api/v1/limits": "viewer",
    "GET /api/v1/limits/{key}": "viewer",
    "PUT /api/v1/limits/{key}": "admin",
    "DELETE /api/v1/limits/{key}": "admin",
    "GET /api/v1/schedules": "viewer",
    "POST /api/v1/schedules": "developer",
    "GET /api/v1/schedules/{schedule}": "viewer",
    "PATCH /api/v1/schedules/{schedule}": "developer",
    "DELETE /api/v1/schedules/{schedule}": "developer",
    "GET /api/v1/jobs/{job}/events": "viewer",
    "GET /api/v1/queues": "viewer",
    "POST /api/v1/queues/{queue}/pause": "developer",
    "POST /api/v1/queues/{queue}/resume": "developer",
    "GET /api/v1/jobs/{job}": "viewer",
    "POST /api/v1/jobs/{job}/cancel": "developer",
    "GET /api/v1/jobs/{job}/log": "viewer",
    "HEAD /api/v1/jobs/{job}/log": "viewer",
    "GET /api/v1/jobs/{job}/log/raw": "viewer",
    "HEAD /api/v1/jobs/{job}/log/raw": "viewer",
    "GET /api/v1/jobs/{job}/log/lines": "viewer",
    "GET /api/v1/jobs/{job}/log/outline": "viewer",
    "GET /api/v1/jobs/{job}/log/search": "viewer",
    "GET /api/v1/logs/search": "viewer",
    "GET /api/v1/commands/{command}": "viewer",
    "GET /api/v1/stream/logs/{job}": "viewer",
    "GET /api/v1/stream/runs/{run}/logs": "viewer",
    "GET /api/v1/stream/logs": "viewer",
    "GET /api/v1/stream/events": "viewer",
    "GET /api/v1/channels": "viewer",
    "POST /api/v1/channels": "admin",
    "DELETE /api/v1/channels/{channel}": "admin",
    "GET /api/v1/tokens": "admin",
    "POST /api/v1/tokens": "admin",
    "DELETE /api/v1/tokens/{token}": "admin",
    "GET /runs": "page viewer",
    "GET /runs/{run}": "page viewer",
    "GET /jobs/{job}": "page viewer",
    "POST /logout": "page viewer",
    "POST /runs/{run}/cancel": "page developer",
    "POST /runs/{run}/rerun": "page developer",
    "POST /jobs/{job}/cancel": "page developer",
    "GET /jobs": "page viewer",
    "GET /search": "page viewer",
    "POST /jobs/{job}/redrive": "page developer",
    "POST /jobs/{job}/discard": "page developer",
    "POST /dead-letters/redrive": "page developer",
    "POST /dead-letters/discard": "page developer",
    "POST /queues/{queue}/pause": "page developer",
    "POST /queues/{queue}/resume": "page developer",
}

NO_ID = "01234567-89ab-7def-8123-456789abcdef"
FILLED = {"{run}": NO_ID, "{job}": NO_ID, "{command}": NO_ID, "{token}": NO_ID, "{pipeline}": "nobody", "{number}": "1"}
ROLES = ("viewer", "developer", "admin")


def filled(path: str) -> str:
    names = {"{channel}": "nobody", "{queue}": "default", "{key}": "nobody", "{schedule}": "nobody"}
    for parameter, value in {**FILLED, **names}.items():
        path = path.replace(parameter, value)
    return path


async def built_app(database: TestDatabase) -> Litestar:
    async with open_pool(database.dsn("ingest"), name="test", max_size=1) as pool:
        config = IngestConfig(database_url="", sealing_keys=[SEALING_KEY])
        return create_app(gather_resources(config, pool, Stop()))


def routes_of(app: Litestar) -> dict[str, HTTPRouteHandler]:
    """Return the handlers by method and path, but for the answers to OPTIONS that Litestar adds."""
    return {
        f"{method} {route.path_format}": handler
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        for method in handler.http_methods
        if method != "OPTIONS"
    }


async def test_every_route_has_exactly_the_guard_that_is_meant(database: TestDatabase) -> None:
    found: dict[str, str] = {}
    for route, handler in routes_of(await built_app(database)).items():
        guards = [GUARDS[guard] for guard in handler.guards or () if guard in GUARDS]
        assert len(guards) <= 1, route
        if guards:
            found[route] = guards[0]
        else:
            assert route in PUBLIC, f"{route} has no guard: give it one, or list it as public"
    assert found == EXPECTED


def altered(token: str) -> str:
    """The token with another last digit."""
    return token[:-1] + ("0" if token[-1] != "0" else "1")


async def test_every_route_turns_away_who_may_not(shared_door: Door) -> None:
    """The table above, asked over the wire: nobody, nonsense, and each role."""
    async with shared_door.client(None) as client:
        for route, needed in EXPECTED.items():
            method, path = route.split(" ")
            if needed.startswith("page"):
                continue
            stranger = await client.request(method, filled(path))
            assert (stranger.status_code, stranger.headers["www-authenticate"]) == (401, 'Bearer realm="howdah"'), route
            for nonsense in (
                "Bearer x",
                "Bearer",
                "Basic eA==",
                f"Bearer {altered(shared_door.tokens['admin'])}",
                "Bearer é",
            ):
                answer = await client.request(method, filled(path), headers=[(b"authorization", nonsense.encode())])
                assert answer.status_code == 401, (route, nonsense)
            for role in ROLES:
                if "/stream/" in path and ROLES.index(role) >= ROLES.index(needed):
                    continue  # it would stream
                answer = await client.request(
                    method, filled(path), headers={"authorization": f"Bearer {shared_door.tokens[role]}"}
                )
                if ROLES.index(role) < ROLES.index(needed):
                    assert answer.status_code == 403, (route, role)
                    assert needed in answer.json()["detail"]
                else:
                    assert answer.status_code not in (401, 403, 500), (route, role, answer.text)


async def test_a_revoked_token_opens_nothing_and_ends_its_sessions(door: Door) -> None:
    issued = (await door.post("/api/v1/tokens", {"name": "bob", "role": "viewer"})).json()
    headers = {"authorization": f"Bearer {issued['token']}"}
    sealer = Sealer(parse_keys([SEALING_KEY]))
    cookies = {COOKIE_NAME: seal_session(sealer, begin_session(TokenId(UUID(issued["token_id"]))))}
    async with door.client(None) as client:
        assert (await client.get("/api/v1/runs", headers=headers)).status_code == 200
        assert (
            await client.get("/api/v1/runs", headers={"cookie": f"{COOKIE_NAME}={cookies[COOKIE_NAME]}"})
        ).status_code == 200
        assert (await door.delete(f"/api/v1/tokens/{issued['token_id']}")).status_code == 204
        assert (await client.get("/api/v1/runs", headers=headers)).status_code == 401
        assert (
            await client.get("/api/v1/runs", headers={"cookie": f"{COOKIE_NAME}={cookies[COOKIE_NAME]}"})
        ).status_code == 401


async def test_an_expired_token_opens_nothing(door: Door) -> None:
    door.sql("update api_token set expires_at = now() - interval '1 second' where role = 'viewer'")
    assert (await door.get("/api/v1/runs", role="viewer")).status_code == 401


async def test_a_token_is_shown_once_and_stored_as_a_hash(door: Door) -> None:
    issued = (await door.post("/api/v1/tokens", {"name": "bob", "role": "viewer"})).json()
    secret = issued["token"].rsplit("_", 1)[1]
    assert issued["token"] not in (await door.get("/api/v1/tokens")).text
    stored = door.sql("select t::text, e.detail::text from api_token t, audit_event e")
    assert all(secret not in text for row in stored for text in row)


def cookie_of(session: Session, key: str = SEALING_KEY) -> dict[str, str]:
    return {"cookie": f"{COOKIE_NAME}={seal_session(Sealer(parse_keys([key])), session)}"}


async def session_of(door: Door, role: str) -> Session:
    return begin_session(TokenId(UUID(door.tokens[role].split("_")[1])))


async def test_a_cookie_reads_but_does_not_write_on_the_api(shared_door: Door) -> None:
    headers = cookie_of(await session_of(shared_door, "admin"))
    async with shared_door.client(None) as client:
        assert (await client.get("/api/v1/runs", headers=headers)).status_code == 200
        answer = await client.post("/api/v1/tokens", headers=headers, json={"name": "evil", "role": "admin"})
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:howdah:problem:cookie-reads-only")


@pytest.mark.parametrize("way", ["expired", "other key", "garbage", "altered", "empty"])
async def test_a_cookie_that_we_did_not_seal_or_that_is_over_opens_nothing(shared_door: Door, way: str) -> None:
    session = await session_of(shared_door, "admin")
    sealed = cookie_of(session)["cookie"]
    cookie = {
        "expired": cookie_of(Session(session.token_id, time.time() - 1, session.csrf))["cookie"],
        "other key": cookie_of(session, "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")["cookie"],
        "garbage": f"{COOKIE_NAME}=%%%",
        "altered": sealed[:-4] + ("AAAA" if sealed[-4:] != "AAAA" else "BBBB"),
        "empty": f"{COOKIE_NAME}=",
    }[way]
    async with shared_door.client(None) as client:
        assert (await client.get("/api/v1/runs", headers={"cookie": cookie})).status_code == 401
        assert (await client.get("/runs", headers={"cookie": cookie})).headers["location"].startswith("/login")


async def test_signing_in_sets_a_cookie_that_scripts_and_other_sites_cannot_use(database: TestDatabase) -> None:
    for public_url, secure in (("", False), ("https://ci.example.org", True)):
        async with (
            open_door(database, public_url=public_url) as door,
            door.client(None) as client,
        ):
            answer = await client.post("/login", data={"token": door.tokens["viewer"], "next": "/runs?state=failed"})
            assert (answer.status_code, answer.headers["location"]) == (303, "/runs?state=failed")
            attributes = answer.headers["set-cookie"].lower()
            assert "httponly" in attributes
            assert "samesite=lax" in attributes
            assert ("secure" in attributes) is secure


@pytest.mark.parametrize(
    "next_page", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
async def test_signing_in_leads_to_no_other_site(shared_door: Door, next_page: str) -> None:
    async with shared_door.client(None) as client:
        answer = await client.post("/login", data={"token": shared_door.tokens["viewer"], "next": next_page})
        assert (answer.status_code, answer.headers["location"]) == (303, "/runs")


async def test_a_wrong_token_signs_nobody_in(shared_door: Door) -> None:
    async with shared_door.client(None) as client:
        answer = await client.post("/login", data={"token": "hwd_x_y"})
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
        assert "does not hold" in answer.text
        refused = await client.post(
            "/login", data={"token": shared_door.tokens["viewer"]}, headers={"sec-fetch-site": "cross-site"}
        )
        assert refused.status_code == 403


async def test_every_form_needs_the_csrf_of_its_own_session(shared_door: Door) -> None:
    session, other = await session_of(shared_door, "developer"), await session_of(shared_door, "developer")
    async with shared_door.client(None) as client:
        for route, guard in EXPECTED.items():
            method, path = route.split(" ")
            if not guard.startswith("page") or method != "POST":
                continue
            for csrf in ({}, {"csrf": ""}, {"csrf": other.csrf}, {"csrf": "é"}):
                answer = await client.post(filled(path), headers=cookie_of(session), data=csrf)
                assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json"), path
            allowed = await client.post(filled(path), headers=cookie_of(session), data={"csrf": session.csrf})
            assert allowed.status_code in (303, 404), path


async def test_pages_send_strangers_to_sign_in_and_developers_only_may_press(shared_door: Door) -> None:
    viewer = await session_of(shared_door, "viewer")
    async with shared_door.client(None) as client:
        for route, guard in EXPECTED.items():
            method, path = route.split(" ")
            if not guard.startswith("page"):
                continue
            answer = await client.request(method, filled(path), data={} if method == "POST" else None)
            assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/login"), route
            bearer: dict[str, Any] = {"authorization": f"Bearer {shared_door.tokens['admin']}"}
            assert (await client.request(method, filled(path), headers=bearer)).status_code == 303, route
            if guard == "page developer":
                answer = await client.post(filled(path), headers=cookie_of(viewer), data={"csrf": viewer.csrf})
                assert answer.status_code == 403, route


async def test_signing_out_takes_the_cookie_away(shared_door: Door) -> None:
    session = await session_of(shared_door, "viewer")
    async with shared_door.client(None) as client:
        answer = await client.post("/logout", headers=cookie_of(session), data={"csrf": session.csrf})
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")
        assert "max-age=0" in answer.headers["set-cookie"].lower()
