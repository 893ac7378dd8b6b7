"""POST /webhooks/{pipeline}: what is believed, what it leads to, and what is left behind when it is not."""

import time
from collections.abc import AsyncIterator

import anyio
import httpx
import psycopg
import pytest

from services.ingest.receive_webhook import MAX_BODY_BYTES
from services.ingest.record_rejection import KEPT
from services.ingest.verify_signature import sign_github
from tests.await_lock import await_lock
from tests.database import TestDatabase
from tests.service.ingest.door import BEFORE, COMMIT, Door, generic_push, github_push, open_door, without

ZERO = "0" * 40


def counts(door: Door) -> tuple[int, int, int]:
    """Return how many deliveries, runs and jobs there are."""
    ((deliveries, runs, jobs),) = door.sql(
        "select (select count(*) from delivery), (select count(*) from run), (select count(*) from job)"
    )
    return int(deliveries), int(runs), int(jobs)


async def test_a_github_push_is_a_delivery_a_run_and_its_plan_job_before_the_answer(door: Door) -> None:
    await door.add_pipeline()
    answer = await door.push(github_push(), **{"x-github-delivery": "d-1"})
    assert answer.status_code == 202
    told = answer.json()
    assert told["outcome"] == "accepted"
    assert told["number"] == 1
    assert told["url"] == f"http://127.0.0.1:0/runs/{told['run_id']}"
    assert counts(door) == (1, 1, 1)
    rows = door.sql(
        """
        select r.event, r.ref, r.branch, r.commit_sha, r.before_sha, r.title, r.author, r.requested_by, r.state::text,
            d.source, d.forge_delivery_id, d.outcome::text, d.body, j.kind::text, j.state::text
        from run r join delivery d on d.id = r.delivery_id join job j on j.id = r.plan_job_id
        """
    )
    assert [tuple(rows[0])] == [
        (
            "push", "refs/heads/main", "main", COMMIT, BEFORE, "Fix the door", "Ann", "webhook:github", "requested",
            "github", "d-1", "accepted", github_push(), "plan", "ready",
        )
    ]  # fmt: skip


async def test_a_generic_push_starts_a_run_too(door: Door) -> None:
    await door.add_pipeline()
    answer = await door.push_generic(generic_push(before=ZERO))
    assert answer.status_code == 202
    ((before, title, source),) = door.sql(
        "select r.before_sha, r.title, d.source from run r join delivery d on d.id = r.delivery_id"
    )
    assert (before, title, source) == (None, "Fix", "generic")


async def test_a_replay_is_answered_with_the_run_that_exists(door: Door) -> None:
    await door.add_pipeline()
    first = await door.push(github_push(), **{"x-github-delivery": "d-1"})
    # Unsigned headers may differ: the signed content is the same.
    again = await door.push(github_push(), **{"x-github-delivery": "d-2"})
    assert again.status_code == 200
    assert again.json() == first.json() | {"outcome": "replayed"}
    assert counts(door) == (1, 1, 1)


async def test_a_generic_replay_is_answered_with_the_run_that_exists(door: Door) -> None:
    await door.add_pipeline()
    at = time.time()
    first = await door.push_generic(generic_push(), at=at)
    again = await door.push_generic(generic_push(), at=at)
    assert (again.status_code, again.json()["run_id"]) == (200, first.json()["run_id"])
    other_nonce = await door.push_generic(generic_push(), at=at, message_id="m2")
    assert other_nonce.status_code == 202


async def test_the_same_delivery_on_two_connections_at_once_is_one_run(database: TestDatabase) -> None:
    async with open_door(database) as one, open_door(database, one.tokens) as other:
        await one.add_pipeline()
        answers: list[httpx.Response] = []

        async def send(door: Door) -> None:
            answers.append(await door.push(github_push()))

        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(send, one)
                tasks.start_soon(send, other)
        assert sorted(answer.status_code for answer in answers) == [200] * 7 + [202]
        assert len({answer.json()["run_id"] for answer in answers}) == 1
        assert counts(one) == (1, 1, 1)


@pytest.mark.parametrize(
    ("signature", "says"),
    [
        ("sha256=" + "0" * 64, "does not hold"),
        (sign_github("another secret", github_push()), "does not hold"),
        (sign_github("a-webhook-secret-for-tests", b"other"), "does not hold"),
        ("", "is missing"),
        (b"nonsense \xe9\xff", "does not hold"),
    ],
)
async def test_a_wrong_signature_starts_nothing_and_leaves_only_metadata(
    door: Door, signature: str | bytes, says: str
) -> None:
    await door.add_pipeline()
    answer = await door.push(github_push(), signature=signature)
    assert answer.status_code == 401
    assert says in answer.json()["detail"]
    ((outcome, digest, body, reason),) = door.sql("select outcome::text, digest, body, reason from delivery")
    assert (outcome, digest, body) == ("rejected", None, None)
    assert says in reason
    assert counts(door)[1:] == (0, 0)


async def test_a_call_without_any_signature_is_told_how_to_sign(door: Door) -> None:
    await door.add_pipeline()
    async with door.client(None) as client:
        answer = await client.post("/webhooks/app", content=generic_push())
    assert answer.status_code == 401
    assert "webhook-signature" in answer.json()["detail"]


async def test_an_old_generic_push_is_refused_though_its_signature_holds(door: Door) -> None:
    await door.add_pipeline()
    for at in (time.time() - 400, time.time() + 400):
        answer = await door.push_generic(generic_push(), at=at)
        assert answer.status_code == 401
        assert "clock" in answer.json()["detail"]
    assert counts(door)[1] == 0


@pytest.mark.parametrize("name", ["nobody", "NOBODY", "a%00b", "%2e%2e", "x" * 200])
async def test_an_unknown_pipeline_is_a_404_and_leaves_nothing(shared_door: Door, name: str) -> None:
    answer = await shared_door.push(github_push(), pipeline=name)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert counts(shared_door)[1:] == (0, 0)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"after": ZERO, "head_commit": None}, "the branch was deleted"),
        ({"ref": "refs/tags/v1"}, "tags are not built"),
        ({"ref": "refs/notes/x"}, "refs/notes/x is not a branch"),
    ],
)
async def test_what_starts_no_run_is_ignored_with_the_reason(
    door: Door, changes: dict[str, object], reason: str
) -> None:
    await door.add_pipeline()
    for _ in range(2):  # the replay, too
        answer = await door.push(github_push(**changes))
        assert (answer.status_code, answer.json()["outcome"], answer.json()["reason"]) == (200, "ignored", reason)
    assert counts(door) == (1, 0, 0)


async def test_ping_is_answered_with_pong(door: Door) -> None:
    await door.add_pipeline()
    answer = await door.push(b'{"zen": "Keep it logically awesome."}', **{"x-github-event": "ping"})
    assert (answer.status_code, answer.json()["outcome"]) == (200, "pong")


async def test_other_events_of_github_start_nothing(door: Door) -> None:
    await door.add_pipeline()
    answer = await door.push(github_push(), **{"x-github-event": "issues"})
    assert (answer.status_code, answer.json()["outcome"]) == (200, "ignored")
    assert "issues" in answer.json()["reason"]


@pytest.mark.parametrize(
    "clone_url",
    ["git@github.com:you/app.git", "ssh://git@ssh.github.com:443/YOU/APP", "https://GitHub.com:443/you/app/"],
)
async def test_one_repository_has_many_urls(door: Door, clone_url: str) -> None:
    await door.add_pipeline()
    answer = await door.push(github_push(repository={"clone_url": clone_url}))
    assert answer.status_code == 202


async def test_a_push_to_another_repository_is_refused(door: Door) -> None:
    await door.add_pipeline()
    answer = await door.push(github_push(repository={"clone_url": "https://github.com/you/other.git"}))
    assert answer.status_code == 422
    assert "github.com/you/other" in answer.json()["detail"]
    assert counts(door) == (1, 0, 0)


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"", 400, None),
        (b"{", 400, None),
        (b'{"ref": "\xff"}', 400, None),
        (b'{"x": ' + b"[" * 100_000, 400, None),
        (b"null", 422, "body"),
        (b"[]", 422, "body"),
        (without(github_push(), "ref"), 422, "ref"),
        (without(github_push(), "before"), 422, "before"),
        (without(github_push(), "after"), 422, "after"),
        (without(github_push(), "repository"), 422, "repository"),
        (without(github_push(), "repository.clone_url"), 422, "repository.clone_url"),
        (without(github_push(), "head_commit"), 422, "head_commit"),
        (without(github_push(), "head_commit.message"), 422, "head_commit.message"),
        (github_push(head_commit=None), 422, "head_commit"),
        (github_push(ref=None), 422, "ref"),
        (github_push(ref=7), 422, "ref"),
        (github_push(ref="main"), 422, "ref"),
        (github_push(ref="refs/heads/a b"), 422, "ref"),
        (github_push(ref="refs/heads/a\0b"), 422, "ref"),
        (github_push(ref="refs/heads/" + "x" * 600), 422, "ref"),
        (github_push(after="HEAD"), 422, "after"),
        (github_push(after=None), 422, "after"),
        (github_push(before="--upload-pack=x"), 422, "before"),
        (github_push(repository={"clone_url": "nonsense"}), 422, "repository.clone_url"),
        (github_push(repository=None), 422, "repository"),
    ],
)
async def test_a_bad_github_body_is_told_by_field_and_leaves_no_run(
    shared_door: Door, body: bytes, status: int, field: str | None
) -> None:
    answer = await shared_door.push(body)
    assert answer.status_code == status, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == ([field] if field else [])
    assert counts(shared_door)[1:] == (0, 0)


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"not json", 400, None),
        (without(generic_push(), "ref"), 422, "ref"),
        (without(generic_push(), "before"), 422, "before"),
        (without(generic_push(), "after"), 422, "after"),
        (generic_push(title=None), 422, "title"),
        (generic_push(author=["Ann"]), 422, "author"),
        (generic_push(after="a" * 39), 422, "after"),
    ],
)
async def test_a_bad_generic_body_is_told_by_field_and_leaves_no_run(
    shared_door: Door, body: bytes, status: int, field: str | None
) -> None:
    answer = await shared_door.push_generic(body)
    assert answer.status_code == status, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == ([field] if field else [])
    assert counts(shared_door)[1:] == (0, 0)


async def test_text_that_no_column_could_hold_is_made_fit(door: Door) -> None:
    await door.add_pipeline()
    message = "\n\x00\x1b[31mred\x00\n" + "x" * 5000
    answer = await door.push(github_push(head_commit={"message": message, "author": {"name": "A\x00nn"}}))
    assert answer.status_code == 202
    assert door.sql("select title, author from run") == [("[31mred", "A nn")]


async def test_a_body_of_30_mb_is_refused_before_it_is_read(door: Door) -> None:
    await door.add_pipeline()
    answer = await door.push(b"x" * (30 * 1024 * 1024))
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert counts(door) == (0, 0, 0)


async def test_an_endless_body_is_cut_off_at_the_limit(door: Door) -> None:
    await door.add_pipeline()
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 4 * MAX_BODY_BYTES:
            sent += 1024 * 1024
            yield b"x" * (1024 * 1024)

    async with door.client(None) as client:
        answer = await client.post("/webhooks/app", content=endless(), headers={"x-github-event": "push"})
    assert answer.status_code == 413


async def test_the_largest_body_that_is_taken_is_taken(door: Door) -> None:
    await door.add_pipeline()
    body = github_push(padding="")
    body = github_push(padding="x" * (MAX_BODY_BYTES - len(body)))
    assert len(body) == MAX_BODY_BYTES
    assert (await door.push(body)).status_code == 202


async def test_github_must_send_json(shared_door: Door) -> None:
    answer = await shared_door.push(b"payload=%7B%7D", **{"content-type": "application/x-www-form-urlencoded"})
    assert answer.status_code == 415
    assert "application/json" in answer.json()["detail"]


async def test_strangers_cannot_make_us_write_without_end(door: Door) -> None:
    await door.add_pipeline()
    async with door.client(None) as client:
        for number in range(60):
            answer = await client.post("/webhooks/app", content=b"%d" % number)
            assert answer.status_code == 401
    assert 1 <= counts(door)[0] <= 30


async def test_only_the_newest_rejected_deliveries_are_kept(door: Door) -> None:
    await door.add_pipeline()
    door.sql(
        """
        insert into delivery (id, pipeline_id, source, event, outcome, reason, remote_address, received_at)
        select gen_random_uuid(), p.id, 'github', 'push', 'rejected', 'old', '', now() - n * interval '1 minute'
        from pipeline p, generate_series(1, 300) n
        """
    )
    assert (await door.push(github_push(), signature="")).status_code == 401
    ((kept, newest),) = door.sql("select count(*), max(received_at) > now() - interval '1 minute' from delivery")
    assert (kept, newest) == (KEPT, True)


async def test_a_changed_secret_holds_at_once_where_it_was_changed(door: Door) -> None:
    await door.add_pipeline()
    assert (await door.push(github_push())).status_code == 202
    assert (
        await door.patch("/api/v1/pipelines/app", {"webhook_secret": "another-secret-for-tests"})
    ).status_code == 200
    other = github_push(after="c" * 40)
    assert (await door.push(other)).status_code == 401
    assert (await door.push(other, secret="another-secret-for-tests")).status_code == 202


async def test_a_push_to_a_pipeline_that_was_deleted_elsewhere_is_a_404(database: TestDatabase) -> None:
    async with open_door(database) as one, open_door(database, one.tokens) as other:
        await one.add_pipeline()
        ping = await one.push(b"{}", **{"x-github-event": "ping"})  # it remembers the pipeline now
        assert ping.status_code == 200
        assert (await other.delete("/api/v1/pipelines/app")).status_code == 204
        assert (await one.push(github_push())).status_code == 404
        assert counts(one) == (0, 0, 0)


async def test_a_whsec_secret_is_base64_for_the_generic_hook_and_text_for_github(door: Door) -> None:
    secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
    await door.add_pipeline(webhook_secret=secret)
    assert (await door.push_generic(generic_push(), secret=secret)).status_code == 202
    assert (await door.push_generic(generic_push(), secret="0123456789abcdef" * 2, message_id="m2")).status_code == 202
    assert (await door.push(github_push(), secret=secret)).status_code == 202


async def test_a_run_that_cannot_be_recorded_leaves_no_delivery(door: Door) -> None:
    await door.add_pipeline()
    with psycopg.connect(door.database.dsn(), autocommit=True) as admin:
        admin.execute("alter table job add constraint nothing_works check (false) not valid")
    answer = await door.push(github_push())
    assert answer.status_code == 500
    assert "job" not in answer.text.replace("jobs", "")
    assert counts(door) == (0, 0, 0)


async def test_calls_that_come_together_are_numbered_without_gaps(database: TestDatabase) -> None:
    async with open_door(database) as one, open_door(database, one.tokens) as other:
        for name in ("app", "other"):
            await one.add_pipeline(name)
        answers: list[tuple[str, httpx.Response]] = []

        async def send(door: Door, pipeline: str, number: int) -> None:
            answers.append((pipeline, await door.push(github_push(after=f"{number + 1:040x}"), pipeline=pipeline)))

        async with anyio.create_task_group() as tasks:
            for number in range(20):
                for pipeline in ("app", "other"):
                    tasks.start_soon(send, one if number % 2 else other, pipeline, number)
        for pipeline in ("app", "other"):
            numbers = [answer.json()["number"] for name, answer in answers if name == pipeline]
            assert sorted(numbers) == list(range(1, 21))
        assert counts(one) == (40, 40, 40)


async def test_a_push_that_cannot_be_recorded_spoils_it_for_no_other(door: Door) -> None:
    await door.add_pipeline()
    door.sql("alter table run add constraint no_evil check (title <> 'evil') not valid")
    statuses: dict[str, list[int]] = {"good": [], "evil": []}

    async def send(number: int) -> None:
        title = "evil" if number % 5 == 0 else "good"
        commit = {"message": title, "author": {"name": "Ann"}}
        answer = await door.push(github_push(after=f"{number + 1:040x}", head_commit=commit))
        statuses[title].append(answer.status_code)

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(send, number)
    assert statuses == {"good": [202] * 16, "evil": [500] * 4}
    assert counts(door) == (16, 16, 16)


async def test_a_push_that_waits_for_its_pipeline_holds_up_no_other(door: Door) -> None:
    for name in ("app", "locked"):
        await door.add_pipeline(name)
    answers: list[tuple[str, int]] = []

    async def send(pipeline: str) -> None:
        answers.append((pipeline, (await door.push(github_push(), pipeline=pipeline)).status_code))

    with psycopg.connect(door.database.dsn()) as holder:
        holder.execute("select from pipeline where name = 'locked' for update")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send, "locked")
            await await_lock(door.database, "AcceptDeliveries")
            await send("app")
            assert answers == [("app", 202)]
            holder.rollback()
    assert answers == [("app", 202), ("locked", 202)]
