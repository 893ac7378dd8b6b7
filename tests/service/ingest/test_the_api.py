"""Pipelines, runs, jobs, channels, commands: what the API promises, and how it says no."""

from collections.abc import Awaitable
from typing import Any

import anyio
import httpx
import psycopg
import pytest

from services.executor.finish_jobs import AttemptEnd
from services.ingest.config import IngestConfig
from shared.queries.models import AttemptOutcome
from shared.sealed_values import channel_secret_of, channel_url_of, git_credential_of
from shared.sealing import Sealer, parse_keys
from tests.database import TestDatabase
from tests.engine import FAILED, SUCCEEDED, Engine
from tests.service.ingest.door import COMMIT, SEALING_KEY, Door, github_push, open_door
from tests.service.ingest.scribe import run_of, start_scribe

NO_ID = "01234567-89ab-7def-8123-456789abcdef"


async def test_a_pipeline_is_entered_shown_changed_and_deleted(door: Door) -> None:
    entered = await door.add_pipeline("app", env={"CI": "1"}, default_branch="trunk")
    assert entered["webhook_secret"] == "a-webhook-secret-for-tests"
    assert entered["webhook_url"].endswith("/webhooks/app")
    shown = (await door.get("/api/v1/pipelines/app")).json()
    assert (shown["name"], shown["env"], shown["default_branch"]) == ("app", {"CI": "1"}, "trunk")
    assert "secret" not in "".join(shown)
    changed = await door.patch("/api/v1/pipelines/app", {"env": {}, "file_path": "ci/howdah.yml"})
    assert changed.status_code == 200
    assert (changed.json()["env"], changed.json()["file_path"]) == ({}, "ci/howdah.yml")
    assert changed.json()["default_branch"] == "trunk"
    assert (await door.delete("/api/v1/pipelines/app")).status_code == 204
    assert (await door.get("/api/v1/pipelines/app")).status_code == 404
    assert (await door.delete("/api/v1/pipelines/app")).status_code == 404
    names = [name for (name,) in door.sql("select name from audit_event where actor = 'token:admin' order by id")]
    assert names == ["pipeline.created", "pipeline.updated", "pipeline.deleted"]


async def test_a_webhook_secret_is_made_when_none_is_given(door: Door) -> None:
    entered = await door.add_pipeline(webhook_secret=None)
    assert len(entered["webhook_secret"]) == 64
    assert (await door.push(github_push(), secret=entered["webhook_secret"])).status_code == 202


async def test_a_pipeline_says_for_how_long_its_logs_are_kept(door: Door) -> None:
    assert (await door.add_pipeline())["log_retention"] == "standard"
    changed = await door.patch("/api/v1/pipelines/app", {"log_retention": "long"})
    assert (changed.status_code, changed.json()["log_retention"]) == (200, "long")
    await door.patch("/api/v1/pipelines/app", {"file_path": "ci.yml"})
    assert (await door.get("/api/v1/pipelines/app")).json()["log_retention"] == "long"
    refused = await door.patch("/api/v1/pipelines/app", {"log_retention": "eternal"})
    assert refused.status_code == 422
    assert "log_retention" in refused.text
    assert (await door.add_pipeline(name="other", log_retention="short"))["log_retention"] == "short"


async def test_a_name_is_taken_once(door: Door) -> None:
    await door.add_pipeline()
    answer = await door.post("/api/v1/pipelines", {"name": "app", "repository_url": "https://example.org/x"})
    assert answer.status_code == 409
    assert "app" in answer.json()["detail"]


async def test_a_git_credential_is_sealed_and_shown_to_nobody(door: Door) -> None:
    entered = await door.add_pipeline(git_credential={"username": "bot", "password": "p4ssw0rd"})
    assert entered["has_git_credential"] is True
    assert "p4ssw0rd" not in (await door.get("/api/v1/pipelines/app")).text
    sealer = Sealer(parse_keys([SEALING_KEY]))

    def opened() -> bytes | None:
        ((pipeline_id, sealed, key_id),) = door.sql("select id, sealed_git_credential, key_id from pipeline")
        return None if sealed is None else sealer.open(sealed, key_id=key_id, purpose=git_credential_of(pipeline_id))

    assert opened() == b'{"username":"bot","password":"p4ssw0rd"}'
    # A new webhook secret leaves the credential as it is.
    assert (await door.patch("/api/v1/pipelines/app", {"webhook_secret": "x" * 20})).status_code == 200
    assert opened() == b'{"username":"bot","password":"p4ssw0rd"}'
    assert (await door.patch("/api/v1/pipelines/app", {"git_credential": None})).json()["has_git_credential"] is False
    assert opened() is None
    assert (await door.push(github_push(), secret="x" * 20)).status_code == 202


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": None}, "name"),
        ({"name": "UPPER"}, "name"),
        ({"name": "a\n"}, "name"),
        ({"name": "-a"}, "name"),
        ({"name": "x" * 64}, "name"),
        ({"name": 7}, "name"),
        ({"repository_url": None}, "repository_url"),
        ({"repository_url": ""}, "repository_url"),
        ({"repository_url": "https://user:pw@github.com/you/app"}, "repository_url"),
        ({"repository_url": "https://ghp_token@github.com/you/app"}, "repository_url"),
        ({"repository_url": "ext::sh -c id"}, "repository_url"),
        ({"repository_url": "--upload-pack=id"}, "repository_url"),
        ({"repository_url": "file:///etc"}, "repository_url"),
        ({"repository_url": "/etc"}, "repository_url"),
        ({"repository_url": "ftp://example.org/x"}, "repository_url"),
        ({"repository_url": "https://example.org"}, "repository_url"),
        ({"default_branch": "a..b"}, "default_branch"),
        ({"file_path": "../x"}, "file_path"),
        ({"file_path": "/etc/passwd"}, "file_path"),
        ({"file_path": "a\0b"}, "file_path"),
        ({"env": {"A-B": "x"}}, "env"),
        ({"env": {"A": 1}}, "env[...]"),
        ({"env": {"A": "x\0"}}, "env[...]"),
        ({"env": None}, "env"),
        ({"webhook_secret": "short"}, "webhook_secret"),
        ({"webhook_secret": "whsec_%%%%%%%%%%%%%%%%"}, "webhook_secret"),
        ({"webhook_secret": "whsec_AAAAAAAAAAAA"}, "webhook_secret"),
        ({"git_credential": {"username": "x"}}, "git_credential.password"),
        ({"git_credential": {"username": "x", "password": "a\nb"}}, "git_credential.password"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_a_bad_pipeline_is_told_by_field_and_leaves_nothing(
    shared_door: Door, changes: dict[str, Any], field: str
) -> None:
    body = {"name": "other", "repository_url": "https://github.com/you/app.git", **changes}
    answer = await shared_door.post("/api/v1/pipelines", body)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["field"] == field
    assert shared_door.sql("select count(*) from pipeline") == [(1,)]


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 422), (b"{", 400), (b"null", 422), (b"[]", 422), (b'"x"', 422), (b"{}", 422), (b'{"name":"\xff"}', 400),
     (b'{"name":"\\ud800"}', 400), (b"[" * 200_000, 400), (b"NaN", 400), (b"x" * (2 * 1024 * 1024), 413)],
)  # fmt: skip
async def test_a_body_that_is_no_json_object_is_the_senders_fault(shared_door: Door, body: bytes, status: int) -> None:
    async with shared_door.client() as client:
        answer = await client.post("/api/v1/pipelines", content=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_local_repositories_are_allowed_only_by_the_operator(database: TestDatabase) -> None:
    async with open_door(database, allow_local_repositories=True) as door:
        await door.add_pipeline(repository_url="file:///srv/git/app.git")
        assert door.sql("select repository_key from pipeline") == [("file:/srv/git/app",)]


async def test_pipelines_are_listed_by_name_in_pages(door: Door) -> None:
    for name in ("c", "a", "b"):
        await door.add_pipeline(name)
    first = (await door.get("/api/v1/pipelines?limit=2")).json()
    assert [pipeline["name"] for pipeline in first["pipelines"]] == ["a", "b"]
    second = (await door.get(f"/api/v1/pipelines?limit=2&cursor={first['next']}")).json()
    assert ([pipeline["name"] for pipeline in second["pipelines"]], second["next"]) == (["c"], None)


async def test_a_pipeline_is_not_deleted_under_an_active_run(door: Door) -> None:
    await door.add_pipeline()
    await door.push(github_push())
    answer = await door.delete("/api/v1/pipelines/app")
    assert answer.status_code == 409
    door.sql("update run set state = 'failed', finished_at = now()")
    assert (await door.delete("/api/v1/pipelines/app")).status_code == 204
    assert door.sql(
        "select (select count(*) from run), (select count(*) from job), (select count(*) from delivery)"
    ) == [(0, 0, 0)]


async def test_a_run_is_started_by_hand(door: Door) -> None:
    await door.add_pipeline(default_branch="trunk")
    for body, ref, branch, commit in (
        ({}, "refs/heads/trunk", "trunk", None),
        ({"branch": "fix/x"}, "refs/heads/fix/x", "fix/x", None),
        ({"ref": "refs/pull/1/head", "commit": COMMIT}, "refs/pull/1/head", None, COMMIT),
    ):
        answer = await door.post("/api/v1/pipelines/app/runs", body, role="developer")
        assert answer.status_code == 202, answer.text
        run = (await door.get(answer.headers["location"])).json()
        assert (run["event"], run["ref"], run["branch"], run["commit_sha"]) == ("manual", ref, branch, commit)
        assert run["requested_by"] == "token:developer"
    assert (await door.get("/api/v1/pipelines/app/runs/3")).json()["number"] == 3


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"ref": "main"}, "ref"),
        ({"branch": "a b"}, "branch"),
        ({"branch": "main", "ref": "refs/heads/main"}, "branch"),
        ({"commit": "HEAD"}, "commit"),
        ({"commit": "0" * 40}, "commit"),
        ({"branch": "a\0b"}, "branch"),
        ({"what": 1}, "what"),
    ],
)
async def test_a_bad_order_for_a_run_is_told_by_field(shared_door: Door, body: dict[str, Any], field: str) -> None:
    answer = await shared_door.post("/api/v1/pipelines/app/runs", body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    assert shared_door.sql("select count(*) from run") == [(0,)]


async def test_pages_of_runs_are_stable_while_runs_come_in(door: Door) -> None:
    await door.add_pipeline()
    for number in range(7):
        assert (await door.push(github_push(after=f"{number + 1:040x}"))).status_code == 202
    first = (await door.get("/api/v1/runs?limit=3")).json()
    assert first["total"] == 7
    await door.push(github_push(after="c" * 40))
    numbers = [run["number"] for run in first["runs"]]
    cursor = first["next"]
    while cursor:
        following = (await door.get(f"/api/v1/runs?limit=3&cursor={cursor}")).json()
        numbers += [run["number"] for run in following["runs"]]
        cursor = following["next"]
        assert following["total"] == 8
    assert numbers == [7, 6, 5, 4, 3, 2, 1]


async def test_runs_of_the_same_moment_are_neither_repeated_nor_left_out(door: Door) -> None:
    await door.add_pipeline()
    for number in range(5):
        await door.push(github_push(after=f"{number + 1:040x}"))
    door.sql("update run set created_at = '2026-01-01 00:00:00+00'")
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await door.get(f"/api/v1/runs?limit=1{cursor}")).json()
        seen += [run["run_id"] for run in page["runs"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert len(seen) == len(set(seen)) == 5


async def test_runs_are_filtered_by_pipeline_and_state(door: Door) -> None:
    await door.add_pipeline()
    await door.add_pipeline("other", repository_url="https://example.org/other")
    await door.push(github_push())
    await door.post("/api/v1/pipelines/other/runs", {})
    door.sql("update run set state = 'failed', finished_at = now(), reason = 'x' where event = 'push'")
    for query, expected in (("pipeline=app", ["app"]), ("state=failed", ["app"]), ("state=requested", ["other"]),
                            ("pipeline=other&state=failed", [])):  # fmt: skip
        page = (await door.get(f"/api/v1/runs?{query}")).json()
        assert ([run["pipeline_name"] for run in page["runs"]], page["total"]) == (expected, len(expected))


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/runs?limit=0", 422),
        ("/api/v1/runs?limit=101", 422),
        ("/api/v1/runs?limit=-1", 422),
        ("/api/v1/runs?limit=NaN", 422),
        ("/api/v1/runs?limit=1e3", 422),
        (f"/api/v1/runs?limit={10**40}", 422),
        ("/api/v1/runs?limit=", 422),
        ("/api/v1/runs?cursor=%00", 422),
        ("/api/v1/runs?cursor=WzEsMl0", 422),
        ("/api/v1/runs?cursor=" + "A" * 600, 422),
        ("/api/v1/runs?state=broken", 422),
        ("/api/v1/runs?pipeline=%00", 404),
        ("/api/v1/pipelines?cursor=IlwwIg", 422),
        ("/api/v1/pipelines?cursor=IlwlMDAi", 422),
        ("/api/v1/runs/nonsense", 422),
        ("/api/v1/runs/" + NO_ID, 404),
        ("/api/v1/runs/" + NO_ID + "/jobs", 404),
        ("/api/v1/runs/" + NO_ID + "/notifications", 404),
        ("/api/v1/runs/%00", 422),
        ("/api/v1/jobs/" + NO_ID, 404),
        ("/api/v1/jobs/" + NO_ID + "/log", 404),
        ("/api/v1/jobs/x/log", 422),
        ("/api/v1/jobs/" + NO_ID + "/log?tail=0", 422),
        ("/api/v1/jobs/" + NO_ID + "/log?tail=1000001", 422),
        ("/api/v1/jobs/" + NO_ID + f"/log?attempt={2**31}", 422),
        ("/api/v1/commands/" + NO_ID, 404),
        ("/api/v1/pipelines/nobody", 404),
        ("/api/v1/pipelines/%00", 404),
        ("/api/v1/pipelines/nobody/deliveries", 404),
        ("/api/v1/pipelines/nobody/runs/1", 404),
        ("/api/v1/pipelines/nobody/runs/0", 422),
        ("/api/v1/pipelines/nobody/runs/x", 422),
        (f"/api/v1/pipelines/nobody/runs/{10**30}", 404),
        ("/api/v1/nothing", 404),
        ("/api/v1/stream/events?run=x", 422),
    ],
)
async def test_bad_addresses_get_a_problem_document_and_never_a_500(shared_door: Door, path: str, status: int) -> None:
    answer = await shared_door.get(path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["instance"].startswith("/api/v1/")
    assert {"type", "title", "detail", "errors"} <= problem.keys()


async def test_a_method_that_is_not_known_is_a_405(shared_door: Door) -> None:
    answer = await shared_door.delete("/api/v1/runs")
    assert (answer.status_code, answer.headers["content-type"]) == (405, "application/problem+json")


async def test_deliveries_say_what_became_of_each_call(door: Door) -> None:
    await door.add_pipeline()
    await door.push(github_push(), signature="")
    await door.push(github_push(ref="refs/tags/v1"))
    await door.push(github_push())
    first = (await door.get("/api/v1/pipelines/app/deliveries?limit=2")).json()
    assert [delivery["outcome"] for delivery in first["deliveries"]] == ["accepted", "ignored"]
    assert first["deliveries"][0]["run_number"] == 1
    second = (await door.get(f"/api/v1/pipelines/app/deliveries?cursor={first['next']}")).json()
    assert [delivery["outcome"] for delivery in second["deliveries"]] == ["rejected"]


async def test_a_job_says_what_it_waits_for(door: Door, engine: Engine) -> None:
    run_id, jobs = await engine.start_run({"lint": [], "unit": [], "deploy": ["lint", "unit"]})
    listed = {job["key"]: job for job in (await door.get(f"/api/v1/runs/{run_id}/jobs")).json()["jobs"]}
    assert list(listed) == ["plan", "lint", "unit", "deploy"]
    assert listed["deploy"]["waits_for"] == "waits for lint and unit"
    assert "none that is alive serves the queue default" in listed["lint"]["waits_for"]
    executor_id = await engine.add_executor()
    (claimed,) = await engine.claim(executor_id, 1)
    await engine.finish(executor_id, claimed, SUCCEEDED)
    deploy = (await door.get(f"/api/v1/jobs/{jobs['deploy']}")).json()
    assert deploy["waits_for"] == ("waits for unit" if claimed.job_id == jobs["lint"] else "waits for lint")
    other = jobs["unit"] if claimed.job_id == jobs["lint"] else jobs["lint"]
    assert (await door.get(f"/api/v1/jobs/{other}")).json()["waits_for"].startswith("is next")
    assert (await door.get(f"/api/v1/jobs/{claimed.job_id}")).json()["waits_for"] is None


async def test_a_job_that_is_tried_again_says_when(door: Door, engine: Engine) -> None:
    run_id, _ = await engine.start_run({"flaky": []}, max_attempts=3)
    executor_id = await engine.add_executor()
    (claimed,) = await engine.claim(executor_id)
    await engine.finish(
        executor_id, claimed, AttemptEnd(AttemptOutcome.ERRORED, error="the network is gone", retry_in_seconds=60)
    )
    job = (await door.get(f"/api/v1/jobs/{claimed.job_id}")).json()
    assert job["waits_for"].startswith("tries again at ")
    assert job["waits_for"].endswith("try 2 of 3")
    assert [attempt["outcome"] for attempt in job["attempts"]] == ["errored"]
    assert run_of(engine, claimed.job_id) == run_id


async def test_commands_are_rows_that_the_scheduler_applies(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    run_id = run_of(engine, scribe.job.job_id)
    canceled = await door.post(f"/api/v1/jobs/{scribe.job.job_id}/cancel", {"why": "it hangs"}, role="developer")
    assert canceled.status_code == 202
    shown = (await door.get(canceled.headers["location"])).json()
    assert (shown["kind"], shown["why"], shown["given_by"], shown["applied_at"]) == (
        "cancel_job", "it hangs", "token:developer", None,
    )  # fmt: skip
    assert (await door.post(f"/api/v1/runs/{run_id}/cancel")).status_code == 202
    assert (await door.post(f"/api/v1/runs/{run_id}/rerun")).status_code == 409
    await engine.finish(scribe.executor_id, scribe.job, FAILED)
    assert (await door.post(f"/api/v1/jobs/{scribe.job.job_id}/cancel")).status_code == 409
    engine.sql("update run set state = 'failed', finished_at = now() where id = %s", run_id)
    assert (await door.post(f"/api/v1/runs/{run_id}/cancel")).status_code == 409
    assert (await door.post(f"/api/v1/runs/{run_id}/rerun", {})).status_code == 202
    kinds = [kind for (kind,) in engine.sql("select kind::text from command order by given_at")]
    assert kinds == ["cancel_job", "cancel_run", "rerun_run"]


async def test_a_reason_is_one_line(door: Door, engine: Engine) -> None:
    scribe = await start_scribe(engine)
    for why in (7, "a\0b", "x" * 201, "two\nlines"):
        answer = await door.post(f"/api/v1/jobs/{scribe.job.job_id}/cancel", {"why": why})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "why")


async def test_a_channel_shows_its_secret_once_and_its_address_never(door: Door) -> None:
    await door.add_pipeline()
    url = "https://hooks.example.org/T0/secret-path"
    body = {"name": "chat", "kind": "webhook", "url": url, "events": ["run.failed"], "pipeline": "app"}
    entered = await door.post("/api/v1/channels", body)
    assert entered.status_code == 201
    secret = entered.json()["secret"]
    assert secret.startswith("whsec_")
    listed = await door.get("/api/v1/channels", role="viewer")
    assert listed.json()["channels"][0]["pipeline_name"] == "app"
    assert "secret-path" not in listed.text + entered.text
    ((channel_id, sealed_url, sealed_secret, key_id),) = door.sql(
        "select id, sealed_url, sealed_secret, key_id from channel"
    )
    sealer = Sealer(parse_keys([SEALING_KEY]))
    assert sealer.open(sealed_url, key_id=key_id, purpose=channel_url_of(channel_id)).decode() == url
    assert sealer.open(sealed_secret, key_id=key_id, purpose=channel_secret_of(channel_id)).decode() == secret
    assert (await door.post("/api/v1/channels", body)).status_code == 409
    assert (await door.post("/api/v1/channels", {**body, "name": "s", "kind": "slack"})).json()["secret"] is None
    assert (await door.delete("/api/v1/channels/chat")).status_code == 204
    assert (await door.delete("/api/v1/channels/chat")).status_code == 404
    assert (await door.delete("/api/v1/channels/%00")).status_code == 404
    details = [detail for (detail,) in door.sql("select detail::text from audit_event")]
    assert not any("secret-path" in detail for detail in details)


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"kind": "pigeon"}, 422, "kind"),
        ({"events": []}, 422, "events"),
        ({"events": ["run.exploded"]}, 422, "events[0]"),
        ({"url": "ftp://x.org"}, 422, "url"),
        ({"url": "https://"}, 422, "url"),
        ({"url": "https://user:pw@x.org/"}, 422, "url"),
        ({"url": "https://x.org/ a"}, 422, "url"),
        ({"url": "https://[::1/"}, 422, "url"),
        ({"url": "https://x.org:99999/"}, 422, "url"),
        ({"url": None}, 422, "url"),
        ({"pipeline": "nobody"}, 404, None),
        ({"pipeline": "\0"}, 404, None),
    ],
)
async def test_a_bad_channel_is_told_by_field(
    shared_door: Door, changes: dict[str, Any], status: int, field: str | None
) -> None:
    body = {"name": "chat", "kind": "webhook", "url": "https://x.org/", "events": ["run.failed"], **changes}
    answer = await shared_door.post("/api/v1/channels", body)
    assert answer.status_code == status, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == ([field] if field else [])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"role": "root"}, "role"),
        ({"name": ""}, "name"),
        ({"name": "a\0"}, "name"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "2099-01-01T00:00:00"}, "expires_at"),
        ({"expires_at": "soon"}, "expires_at"),
    ],
)
async def test_a_bad_token_order_is_told_by_field(shared_door: Door, changes: dict[str, Any], field: str) -> None:
    answer = await shared_door.post("/api/v1/tokens", {"name": "bob", "role": "viewer", **changes})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field), answer.text


async def test_a_database_that_is_away_is_a_503_and_says_when_to_come_back(database: TestDatabase) -> None:
    """The pool is cut off from its database while the service runs."""
    async with open_door(database) as door:
        await door.add_pipeline()
        with psycopg.connect(database.server.postgres.dsn(), autocommit=True) as admin:
            admin.execute(f"alter database {database.name} with allow_connections false".encode())
            admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [database.name])
            try:
                assert (await door.get("/health", role=None)).status_code == 200
                answers: list[httpx.Response] = []

                async def keep(request: Awaitable[httpx.Response]) -> None:
                    answers.append(await request)

                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(keep, door.get("/ready", role=None))
                    tasks.start_soon(keep, door.get("/api/v1/runs"))
                    tasks.start_soon(keep, door.push(github_push()))
            finally:
                admin.execute(f"alter database {database.name} with allow_connections true".encode())
        assert len(answers) == 3
        for answer in answers:
            assert answer.status_code == 503, answer.text
            assert answer.headers["retry-after"]
            assert answer.headers["content-type"] == "application/problem+json"
            assert "postgres" not in answer.text.lower()
        assert (await door.push(github_push())).status_code == 202
        assert (await door.get("/ready", role=None)).status_code == 200


async def test_every_answer_carries_the_constant_headers(shared_door: Door) -> None:
    for path in (
        "/health",
        "/runs",
        "/login",
        "/nothing",
        "/api/v1/runs",
        "/docs",
        "/openapi.json",
        "/static/0.1.0/howdah.css",
    ):
        headers = (await shared_door.get(path, role=None)).headers
        assert "default-src 'none'" in headers["content-security-policy"], path
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "same-origin"


async def test_the_openapi_document_is_complete(shared_door: Door) -> None:
    document = (await shared_door.get("/openapi.json", role=None)).json()
    assert document["openapi"].startswith("3.1")
    assert "/api/v1/stream/logs/{job}" in document["paths"]
    assert document["paths"]["/api/v1/runs"]["get"]["security"] == [{"bearer": []}]
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert operation.get("description"), f"{method} {path} is not described"
            problem = operation["responses"].get("422", {}).get("content", {})
            if problem:
                assert list(problem) == ["application/problem+json"]
    page = await shared_door.get("/docs", role=None)
    assert page.status_code == 200
    assert "http" not in page.text.replace("http-equiv", "")
    for name in ("swagger-ui.css", "swagger-ui-bundle.js"):
        assert (await shared_door.get(f"/docs/{name}", role=None)).status_code == 200
    assert (await shared_door.get("/docs/..%2Fcore.py", role=None)).status_code == 404


def test_the_public_address_is_made_up_of_where_we_listen() -> None:
    def config(**settings: Any) -> IngestConfig:
        return IngestConfig(database_url="", sealing_keys=[], **settings)

    assert config().base_url() == "http://127.0.0.1:8080"
    assert config(listen_address="::1", listen_port=80).base_url() == "http://[::1]:80"
    assert config(public_url="https://ci.example.org/").base_url() == "https://ci.example.org"
