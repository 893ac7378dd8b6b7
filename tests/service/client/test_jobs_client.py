"""A program enqueues jobs over HTTP and follows them: the same jobs and the same errors as in its own transaction."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import anyio
import msgspec
import psycopg
import pytest
from anyio.abc import ByteStream
from psycopg import sql

from services.executor.finish_jobs import AttemptEnd
from services.ingest.find_job import JobDetails as AnsweredJob
from services.ingest.list_jobs import ListedJob as AnsweredListedJob
from shared.client import (
    AttemptOutcome,
    ConflictError,
    EnqueuedJob,
    ForbiddenError,
    IdempotencyConflictError,
    InvalidJobError,
    InvalidRequestError,
    JobDetails,
    JobsClient,
    JobState,
    ListedJob,
    NewJob,
    NotFoundError,
    PayloadTooLargeError,
    UnauthorizedError,
    UnavailableError,
    jobs_client,
)
from shared.jobs import RetryPolicy
from tests.database import TestDatabase
from tests.engine import Engine
from tests.service.ingest.door import Door
from tests.service.ingest.publishing import finish, take
from tests.service.notifier.target import Received, respond, run_target

NOTE = NewJob(type="note")
NOBODY = UUID(int=7)
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
DUE = datetime(2031, 1, 1, tzinfo=UTC)


async def test_a_job_is_shown_as_it_was_made(client: JobsClient) -> None:
    job = NewJob(
        type="send_email",
        payload={"to": ["ada@example.org"]},
        queue="mail",
        labels=["gpu"],
        run_at=DUE,
        priority=7,
        max_attempts=2,
        timeout=timedelta(minutes=1),
        idempotency_key="k",
        idempotency_seconds=60,
        concurrency_key="c",
        retry=RetryPolicy(first_seconds=1),
        metadata={"order": 7},
        traceparent=TRACEPARENT,
    )
    enqueued = await client.enqueue(job)
    assert enqueued.created
    shown = await client.get(enqueued.job_id)
    assert (shown.job_id, shown.run_id, shown.job_type, shown.queue) == (enqueued.job_id, None, "send_email", "mail")
    assert (shown.payload, shown.labels, shown.run_at, shown.priority) == (job.payload, ["gpu"], DUE, 7)
    assert (shown.max_attempts, shown.timeout_seconds, shown.retry["first_seconds"]) == (2, 60, 1)
    assert (shown.idempotency_key, shown.concurrency_key, shown.metadata) == ("k", "c", {"order": 7})
    assert (shown.traceparent, shown.enqueued_by) == (TRACEPARENT, "token:developer")
    assert (shown.state, shown.has_ended, shown.attempts) == (JobState.SCHEDULED, False, [])


def test_the_records_have_what_howdah_answers() -> None:
    own = {"key", "kind", "needs", "claim_epoch", "exit_code", "failing_line", "failing_text", "steps"}
    assert set(AnsweredJob.__struct_fields__) - set(JobDetails.__struct_fields__) == own
    assert set(JobDetails.__struct_fields__) <= set(AnsweredJob.__struct_fields__)
    assert set(AnsweredListedJob.__struct_fields__) - set(ListedJob.__struct_fields__) == {"key"}


async def test_jobs_come_back_in_their_order_and_say_whether_they_are_new(client: JobsClient) -> None:
    keyed = NewJob(type="note", idempotency_key="k")
    first = await client.enqueue(keyed)
    jobs = await client.enqueue_many([NewJob(type="note", payload=0), keyed, NewJob(type="note", payload=2)])
    assert [job.created for job in jobs] == [True, False, True]
    assert jobs[1] == EnqueuedJob(first.job_id, created=False)
    assert [(await client.get(job.job_id)).payload for job in jobs] == [0, None, 2]
    assert await client.enqueue_many([]) == []


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"priority": 500}, r"\[1\]\.priority"),
        ({"type": "no_such_type"}, r"\[1\]\.type"),
        ({"type": "send_email", "payload": {"to": []}}, r"\[1\]\.payload\.to"),
        ({"timeout": 10**9}, r"\[1\]\.timeout_seconds"),
    ],
)
async def test_a_malformed_job_is_refused_by_its_place(
    client: JobsClient, door: Door, wrong: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidJobError, match=words) as caught:
        await client.enqueue_many([NOTE, NewJob(**{"type": "note", **wrong})])
    assert caught.value.place == 1
    assert door.sql("select count(*) from job") == [(0,)]


async def test_a_conflict_names_the_earlier_job(client: JobsClient) -> None:
    first = await client.enqueue(NewJob(type="note", payload=1, idempotency_key="k"))
    with pytest.raises(IdempotencyConflictError) as caught:
        await client.enqueue_many([NOTE, NewJob(type="note", payload=2, idempotency_key="k")])
    assert (caught.value.place, caught.value.earlier_job_id) == (1, first.job_id)


@pytest.mark.parametrize("field", ["payload", "metadata"])
async def test_what_is_too_large_is_refused_by_its_place(client: JobsClient, field: str) -> None:
    large = NewJob(type="note", **{field: {"text": "x" * 1024 * 1024}})  # type: ignore[arg-type]
    with pytest.raises(PayloadTooLargeError, match=field) as caught:
        await client.enqueue_many([NOTE, large])
    assert caught.value.place == 1


async def test_too_many_jobs_are_refused_as_a_whole(client: JobsClient) -> None:
    with pytest.raises(InvalidJobError, match="10001 jobs") as caught:
        await client.enqueue_many([NOTE] * 10_001)
    assert caught.value.place is None


async def test_who_may_not_enqueue_is_told_so(door: Door) -> None:
    async with JobsClient(door.url, door.tokens["viewer"]) as client:
        with pytest.raises(ForbiddenError):
            await client.enqueue(NOTE)
    async with JobsClient(door.url, "hwd_no_such_token") as client:
        with pytest.raises(UnauthorizedError):
            await client.get(NOBODY)


async def test_a_database_that_comes_back_in_time_is_not_noticed(client: JobsClient, door: Door) -> None:
    keyed = NewJob(type="note", idempotency_key="k")
    async with JobsClient(door.url, door.tokens["developer"], retry_within_seconds=0) as hasty:
        with database_away(door.database):
            with pytest.raises(UnavailableError, match=r"The database does not answer.* it took effect is not known"):
                await hasty.enqueue(NOTE)
            async with anyio.create_task_group() as enqueueing:
                enqueueing.start_soon(client.enqueue, keyed)
                # An outage that lasts until the client has been told so.
                with pytest.raises(UnavailableError):
                    await hasty.enqueue(NOTE)
                allow_connections(door.database, allowed=True)
    assert door.sql("select key from job_key") == [("k",)]


@contextmanager
def database_away(database: TestDatabase) -> Iterator[None]:
    """Refuse connections, and end those that stand."""
    allow_connections(database, allowed=False)
    try:
        yield
    finally:
        allow_connections(database, allowed=True)


def allow_connections(database: TestDatabase, *, allowed: bool) -> None:
    with psycopg.connect(database.server.postgres.dsn(), autocommit=True) as admin:
        change = sql.SQL("alter database {} with allow_connections {}")
        admin.execute(change.format(sql.Identifier(database.name), sql.Literal(allowed)))
        if not allowed:
            admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [database.name])


async def test_waiting_ends_with_the_job(client: JobsClient, engine: Engine) -> None:
    enqueued = await client.enqueue(NewJob(type="note", payload={"a": 1}))
    executor_id = await engine.add_executor(job_types=["note"])
    [row] = await take(engine, executor_id, "note")
    ended: list[JobDetails] = []

    async def wait() -> None:
        ended.append(await client.wait(enqueued.job_id))

    async with anyio.create_task_group() as waiting:
        waiting.start_soon(wait)
        await finish(engine, executor_id, row, AttemptEnd(AttemptOutcome.SUCCEEDED, result={"sent": True}))
    [job] = ended
    assert (job.state, job.has_ended, job.result) == (JobState.SUCCEEDED, True, {"sent": True})
    [attempt] = job.attempts
    assert (attempt.epoch, attempt.outcome, attempt.error) == (1, AttemptOutcome.SUCCEEDED, None)
    assert await client.wait(enqueued.job_id, within_seconds=0) == job


async def test_waiting_has_an_end_and_says_why_the_job_has_not(client: JobsClient) -> None:
    enqueued = await client.enqueue(NOTE)
    with pytest.raises(
        TimeoutError, match=rf"job {enqueued.job_id} is still ready after 0\.01 s: waits for an executor"
    ):
        await client.wait(enqueued.job_id, within_seconds=0.01)


async def test_waiting_goes_on_when_an_answer_comes_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_client, "_EARLY_PAUSE_SECONDS", 0)
    job = msgspec.json.decode(msgspec.json.encode(an_active_job()))
    asked: list[str] = []

    async def answer(received: Received, stream: ByteStream) -> None:
        asked.append(received.resource.partition("?")[2])
        ended = {"state": "failed", "finished_at": "2026-11-25T12:00:00Z"} if len(asked) == 3 else {}
        await respond(200, body=msgspec.json.encode(job | ended))(received, stream)

    async with run_target(answer) as target, JobsClient(target.url(""), "hwd_token") as client:
        assert (await client.wait(NOBODY)).state == JobState.FAILED
    assert asked == ["wait_seconds=60.000"] * 3


def an_active_job() -> JobDetails:
    known: dict[str, Any] = dict.fromkeys(JobDetails.__struct_fields__)
    numbers = dict.fromkeys(("priority", "attempts_used", "max_attempts", "redrives", "timeout_seconds", "losses"), 1)
    texts = dict.fromkeys(("job_type", "queue", "enqueued_by"), "")
    lists: dict[str, list[Any]] = {"labels": [], "attempts": []}
    times = {"created_at": DUE, "run_at": DUE}
    return JobDetails(**known | numbers | texts | lists | times | {"job_id": NOBODY, "state": JobState.RUNNING})


async def test_jobs_that_are_not_there_are_not_found(client: JobsClient) -> None:
    for ask in (client.get, client.wait, client.cancel, client.redrive, client.discard):
        with pytest.raises(NotFoundError, match="There is no job of that id"):
            await ask(NOBODY)


async def test_commands_reach_the_scheduler_with_their_reason(client: JobsClient, door: Door, engine: Engine) -> None:
    waiting = await client.enqueue(NOTE)
    command_id = await client.cancel(waiting.job_id, "not needed")
    assert door.sql("select id, kind::text, job_id, why, given_by from command") == [
        (command_id, "cancel_job", waiting.job_id, "not needed", "token:developer")
    ]
    for verb in (client.redrive, client.discard):
        with pytest.raises(ConflictError, match="The job is ready"):
            await verb(waiting.job_id)
    door.sql("update job set state = 'dead', finished_at = now(), reason = 'crashed', attempts_used = 1")
    redrive_id, discard_id = await client.redrive(waiting.job_id), await client.discard(waiting.job_id)
    kinds = dict(door.sql("select id, kind::text from command"))
    assert (kinds[redrive_id], kinds[discard_id]) == ("redrive_jobs", "discard_jobs")
    with pytest.raises(ConflictError, match="ended already"):
        await client.cancel(waiting.job_id)


async def test_a_list_goes_through_all_pages_newest_first(client: JobsClient) -> None:
    jobs = await client.enqueue_many([NewJob(type="note", metadata={"n": n}) for n in range(201)])
    found = [job async for job in client.list()]
    assert [job.job_id for job in found] == [job.job_id for job in reversed(jobs)]
    assert [job.metadata["n"] for job in found] == list(reversed(range(201)))


async def test_a_list_finds_by_everything_that_is_asked(client: JobsClient, door: Door) -> None:
    [_, wanted] = await client.enqueue_many(
        [
            NOTE,
            NewJob(
                type="note",
                queue="mail",
                concurrency_key="c",
                idempotency_key="k",
                metadata={"order": 7, "more": True},
            ),
        ]
    )
    now = datetime.now(UTC)
    hour = timedelta(hours=1)
    searches: list[dict[str, Any]] = [
        {"states": [JobState.BLOCKED, JobState.RUNNING]},
        {"queue": "mail"},
        {"reason": "limit"},
        {"concurrency_key": "c"},
        {"job_type": "note", "idempotency_key": "k"},
        {"metadata": {"order": 7}},
        {"queue": "mail", "enqueued_after": now - hour, "enqueued_before": now + hour},
    ]
    for search in searches:
        assert [job.job_id async for job in client.list(**search)] == [wanted.job_id], search
    for search in ({"finished_after": now - hour}, {"finished_before": now + hour}, {"job_type": "other"}):
        assert [job async for job in client.list(**search)] == [], search


async def test_a_search_that_cannot_be_is_refused(client: JobsClient) -> None:
    with pytest.raises(InvalidRequestError, match="give `type`") as caught:
        _ = [job async for job in client.list(idempotency_key="k")]
    assert caught.value.problem.errors[0].field == "idempotency_key"
