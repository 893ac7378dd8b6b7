"""Small pure parts of ingest: remembered values, budgets, cursors, text, sessions, events, explanations."""

from collections.abc import AsyncIterator
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import anyio
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.clean_text import first_line
from services.ingest.describe_push import commit_fault, ref_fault
from services.ingest.explain_wait import Surroundings, explain_wait
from services.ingest.find_job import ShownJob
from services.ingest.limit_rejections import RejectionBudget
from services.ingest.name_field import describe_validation
from services.ingest.order_jobs import order_jobs
from services.ingest.page_cursor import NEWEST, TimeKey, read_cursor, write_cursor
from services.ingest.page_filters import as_duration, as_mark
from services.ingest.problem_details import Problem
from services.ingest.push_batch import MOST_BYTES, MOST_CALLS, PushBatch
from services.ingest.push_order import PushOrder
from services.ingest.queries.jobs import ExplainLimitsRow, ExplainReadyRow
from services.ingest.queries.rows import Job
from services.ingest.recent_values import RecentValues
from services.ingest.row_cursor import ChunkCursor, RowCursor, read_chunk_cursor, read_row_cursor
from services.ingest.seal_session import SESSION_SECONDS, begin_session, open_session, seal_session
from services.ingest.send_events import Look, follow, frame_event
from shared.errors import DatabaseUnavailableError
from shared.ids import DeliveryId, JobId, PipelineId, RunId, TokenId, new_id
from shared.loop import Bell
from shared.queries.models import JobKind, JobState, RunState
from shared.sealing import Sealer, generate_key, parse_keys
from shared.stop import Stop

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


# ---- recent values, budgets


async def test_a_value_is_remembered_for_a_while_and_strangers_keys_do_not_pile_up() -> None:
    clock, reads = Clock(), []
    recent: RecentValues[str, str | None] = RecentValues(seconds=5, max_size=3, clock=clock)

    async def read(key: str) -> str | None:
        reads.append(key)
        return None if key == "nothing" else key.upper()

    assert [await recent.get("a", read) for _ in range(3)] == ["A"] * 3
    assert [await recent.get("nothing", read) for _ in range(2)] == [None] * 2
    assert reads == ["a", "nothing"]
    clock.now += 5
    assert await recent.get("a", read) == "A"
    assert reads == ["a", "nothing", "a"]
    recent.forget("a")
    await recent.get("a", read)
    assert reads.count("a") == 3
    for number in range(100):
        await recent.get(str(number), read)
    assert len(recent._kept) == 3


def test_a_budget_refills_with_time() -> None:
    clock = Clock()
    budget = RejectionBudget(per_second=2, burst=3, clock=clock)
    assert [budget.take() for _ in range(5)] == [True, True, True, False, False]
    clock.now += 1
    assert [budget.take() for _ in range(3)] == [True, True, False]
    clock.now += 1000
    assert [budget.take() for _ in range(4)] == [True, True, True, False]


# ---- calls that share a statement


def push_order(body: bytes = b"{}") -> PushOrder:
    return PushOrder(
        delivery_id=DeliveryId(new_id()),
        run_id=RunId(new_id()),
        plan_job_id=JobId(new_id()),
        pipeline_id=PipelineId(new_id()),
        source="generic",
        event="push",
        forge_delivery_id=None,
        digest=b"",
        remote_address="",
        body=body,
        ref="refs/heads/main",
        branch="main",
        commit_sha="a" * 40,
        before_sha=None,
        title="",
        author="",
    )


@pytest.mark.parametrize(
    ("body_bytes", "room_for"),
    [(0, MOST_CALLS), (MOST_BYTES // 4, 4), (MOST_BYTES // 4 + 1, 3), (MOST_BYTES, 1), (MOST_BYTES + 1, 1)],
)
async def test_a_statement_carries_a_bounded_number_of_calls_and_bytes_but_always_one(
    body_bytes: int, room_for: int
) -> None:
    batch, order = PushBatch(), push_order(bytes(body_bytes))
    taken = 0
    while batch.has_room(order):
        batch.add(order)
        taken += 1
    assert taken == room_for


# ---- cursors


@given(st.datetimes(timezones=st.just(UTC)), st.uuids())
def test_a_page_cursor_comes_back_as_it_went(at: datetime, row_id: UUID) -> None:
    assert read_cursor(write_cursor(TimeKey(at, row_id)), TimeKey) == TimeKey(at, row_id)


def test_the_first_page_is_before_everything() -> None:
    assert NEWEST.at.tzinfo is not None
    assert NEWEST.at > datetime(9999, 12, 31, tzinfo=UTC)
    assert NEWEST.row_id == UUID("ffffffff-ffff-ffff-ffff-ffffffffffff")


@given(st.text(max_size=80))
def test_a_made_up_page_cursor_is_refused_or_read_but_breaks_nothing(text: str) -> None:
    for key_type in (TimeKey, str):
        with suppress(Problem):
            assert isinstance(read_cursor(text, key_type), key_type)


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_an_event_id_comes_back_as_it_went(first: int, second: int) -> None:
    assert read_row_cursor(str(RowCursor(first, second))) == RowCursor(first, second)
    epoch = first % 2**31
    assert read_chunk_cursor(str(ChunkCursor(epoch, second))) == ChunkCursor(epoch, second)


# ---- text


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ""),
        ("\n\n first \n second", "first"),
        ("a\x00b\x1b[1mc", "a b [1mc"),
        ("x" * 500, "x" * 199 + "…"),
        ("\u2028x", "x"),
    ],
)
def test_a_title_is_one_clean_line(text: str, line: str) -> None:
    assert first_line(text) == line


@pytest.mark.parametrize(
    "ref", ["refs/heads/main", "refs/heads/a/b-c_d.e", "refs/heads/ünï", "refs/tags/v1.0", "refs/pull/1/head"]
)
def test_refs_that_git_allows(ref: str) -> None:
    assert ref_fault(ref) is None


@pytest.mark.parametrize(
    "ref",
    [
        *("", "main", "heads/main", "refs/heads/", "refs/heads/" + "x" * 500),
        *(f"refs/heads/{name}" for name in (".a", "a.", "a.lock", "a/", "a//b", "a..b", "@{x")),
        *(f"refs/heads/a{bad}b" for bad in (" ", "\n", "\x7f", "\0", "~", "^", ":", "?", "*", "[", "\\")),
    ],
)
def test_refs_that_git_forbids(ref: str) -> None:
    assert ref_fault(ref) is not None


def test_commits_are_full_ids() -> None:
    assert commit_fault("a" * 40) is None
    assert commit_fault("0123456789abcdef" * 4) is None
    for commit in ("a" * 39, "A" * 40, "g" * 40, "0" * 40, "0" * 64, "a" * 41, "a" * 40 + "\n", ""):
        assert commit_fault(commit) is not None


def test_wrong_fields_are_named() -> None:
    class Inner(msgspec.Struct):
        name: str

    class Outer(msgspec.Struct, forbid_unknown_fields=True):
        inner: Inner
        many: list[Inner] = []

    def told(document: bytes) -> tuple[str, str]:
        with pytest.raises(msgspec.ValidationError) as raised:
            msgspec.json.decode(document, type=Outer)
        error = describe_validation(raised.value)
        return error.field, error.message

    assert told(b"{}") == ("inner", "it is missing")
    assert told(b'{"inner": {}}') == ("inner.name", "it is missing")
    assert told(b'{"inner": {"name": 1}}') == ("inner.name", "Expected `str`, got `int`")
    assert told(b'{"inner": {"name": "a"}, "many": [{"name": null}]}') == ("many[0].name", "Expected `str`, got `null`")
    assert told(b'{"inner": {"name": "a"}, "more": 1}') == ("more", "there is no such field")
    assert told(b"[]") == ("body", "Expected `object`, got `array`")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59.9, "59 s"), (60, "1 min 0 s"), (3599, "59 min 59 s"), (7265, "2 h 1 min")]
)
def test_durations_read_easily(seconds: float, text: str) -> None:
    assert as_duration(seconds) == text


def test_every_state_has_a_mark() -> None:
    assert all(as_mark(state) != "•" for state in [*RunState, *JobState])


# ---- sessions


def test_a_session_is_opened_by_the_key_that_sealed_it_until_it_is_over() -> None:
    old, new = f"old:{generate_key()}", f"new:{generate_key()}"
    session = begin_session(TokenId(new_id()), now=1000)
    cookie = seal_session(Sealer(parse_keys([old])), session)
    rotated = Sealer(parse_keys([new, old]))
    assert open_session(rotated, cookie, now=1001) == session
    assert open_session(rotated, cookie, now=1000 + SESSION_SECONDS) is None
    assert open_session(Sealer(parse_keys([new])), cookie, now=1001) is None


@given(st.text(max_size=100))
def test_no_cookie_breaks_it(cookie: str) -> None:
    assert open_session(Sealer(parse_keys([f"k:{generate_key()}"])), cookie) is None


# ---- events


async def heard(source: AsyncIterator[bytes]) -> list[bytes]:
    with anyio.fail_after(10):
        return [piece async for piece in source]


async def allowed() -> bool:
    return True


def test_an_event_is_one_block_whatever_its_data() -> None:
    assert (
        frame_event({"text": "a\nb\r\n\u2028"}, event_id="1-2")
        == b'id: 1-2\ndata: {"text":"a\\nb\\r\\n\xe2\x80\xa8"}\n\n'
    )
    assert frame_event({}, name="end") == b"event: end\ndata: {}\n\n"


async def test_a_stream_beats_while_it_is_silent_and_ends_when_its_token_is_revoked() -> None:
    answers = iter([True, True, False])

    async def still_allowed() -> bool:
        return next(answers)

    async def look() -> Look:
        return Look()

    pieces = await heard(
        follow(
            look, bell=Bell(), watching=nullcontext(), stop=Stop(), still_allowed=still_allowed, heartbeat_seconds=0.001
        )
    )
    assert pieces == [b"retry: 1000\n\n", b":\n\n", b":\n\n"]


async def test_a_busy_stream_is_asked_for_its_token_too() -> None:
    async def refused() -> bool:
        return False

    async def look() -> Look:
        await anyio.lowlevel.checkpoint()
        return Look(b"x", more=True)

    pieces = await heard(
        follow(look, bell=Bell(), watching=nullcontext(), stop=Stop(), still_allowed=refused, heartbeat_seconds=0.01)
    )
    assert set(pieces[1:]) == {b"x"}


async def test_a_stream_waits_for_an_absent_database() -> None:
    looks: list[Any] = [
        DatabaseUnavailableError("gone"),
        Look(b"a"),
        DatabaseUnavailableError("gone"),
        Look(b"b", done=True),
    ]
    bell = Bell()

    async def look() -> Look:
        bell.ring()
        found = looks.pop(0)
        if isinstance(found, Exception):
            raise found
        return Look(found.events, found.more, found.done)

    assert await heard(follow(look, bell=bell, watching=nullcontext(), stop=Stop(), still_allowed=allowed)) == [
        b"retry: 1000\n\n", b"a", b"b",
    ]  # fmt: skip


async def test_a_stop_that_was_asked_for_ends_a_stream_before_it_looks() -> None:
    stop = Stop()
    stop.request()

    async def look() -> Look:
        raise AssertionError

    assert await heard(follow(look, bell=Bell(), watching=nullcontext(), stop=stop, still_allowed=allowed)) == [
        b"retry: 1000\n\n"
    ]


# ---- why a job waits, and where it stands


def job(key: str, state: JobState, needs: tuple[JobId, ...] = (), **fields: Any) -> ShownJob:
    values: dict[str, Any] = {
        **dict.fromkeys(ShownJob.__struct_fields__),
        **dict.fromkeys(("claim_epoch", "attempts_used", "losses"), 0),
        **dict.fromkeys(("created_at", "run_at"), NOW),
        "job_id": JobId(new_id()),
        "run_id": RunId(new_id()),
        "key": key,
        "kind": JobKind.SHELL,
        "state": state,
        "needs": list(needs),
        "timeout_seconds": 60,
        "max_attempts": 1,
    }
    return ShownJob(**(values | fields))


def explained(
    waiting: Job, *others: Job, ready: ExplainReadyRow | None = None, limit: ExplainLimitsRow | None = None
) -> str | None:
    around = Surroundings(
        {other.job_id: other for other in others},
        {waiting.job_id: ready} if ready else {},
        {waiting.job_id: limit} if limit else {},
    )
    return explain_wait(waiting, around)


def before_it(executors: int, jobs_before: int, *labels: str, **fields: Any) -> ExplainReadyRow:
    values: dict[str, Any] = {
        "job_id": JobId(new_id()),
        "kind": JobKind.SHELL,
        "job_type": "",
        "queue": "default",
        "labels": list(labels),
        "paused_at": None,
        "paused_by": None,
        "paused_why": None,
        "executors": executors,
        "jobs_before": jobs_before,
    }
    return ExplainReadyRow(**(values | fields))


def limited(holding: int, jobs_before: int, **fields: Any) -> ExplainLimitsRow:
    values: dict[str, Any] = {
        "job_id": JobId(new_id()),
        "concurrency_key": "k",
        "max_running": 3,
        "rate_count": None,
        "rate_seconds": None,
        "holding": holding,
        "jobs_before": jobs_before,
    }
    return ExplainLimitsRow(**(values | fields))


def test_a_blocked_job_names_what_it_still_needs() -> None:
    a, b, c = job("a", JobState.SUCCEEDED), job("b", JobState.RUNNING), job("c", JobState.BLOCKED)
    assert explained(job("d", JobState.BLOCKED, (a.job_id, b.job_id, c.job_id)), a, b, c) == "waits for b and c"
    assert explained(job("d", JobState.BLOCKED, (a.job_id,)), a) == "waits for the scheduler to release it"


def test_a_scheduled_job_says_when() -> None:
    retried = job("a", JobState.SCHEDULED, reason="retry", attempts_used=1, max_attempts=3)
    assert explained(retried) == "tries again at 2026-01-02 03:04:05 UTC, try 2 of 3"
    snoozed = job("a", JobState.SCHEDULED, reason="snooze")
    assert explained(snoozed) == "has put itself off until 2026-01-02 03:04:05 UTC"
    for reason in (None, "asked"):
        assert explained(job("a", JobState.SCHEDULED, reason=reason)) == "is to start at 2026-01-02 03:04:05 UTC"


@pytest.mark.parametrize(
    ("limit", "sentence"),
    [
        (limited(3, 11), "waits for the concurrency key k: 3 of 3 run, 12th in line"),
        (limited(4, 0), "waits for the concurrency key k: 4 of 3 run, 1st in line"),
        (limited(3, 10_001), "waits for the concurrency key k: 3 of 3 run, beyond the 10000th in line"),
        (limited(0, 1, max_running=0), "waits for the concurrency key k: none of its jobs may run, 2nd in line"),
        (
            limited(1, 2, rate_count=5, rate_seconds=60.0),
            "waits for the rate of the concurrency key k: 5 in 60 s, 3rd in line",
        ),
        (limited(1, 112), "waits for the scheduler to release it for the concurrency key k, 113th in line"),
    ],
)  # fmt: skip
def test_a_job_held_back_by_a_key_says_by_what_and_where_it_stands(limit: ExplainLimitsRow, sentence: str) -> None:
    assert explained(job("a", JobState.BLOCKED, reason="limit"), limit=limit) == sentence


def test_a_job_of_a_handler_says_which_handler_is_missing() -> None:
    ready = before_it(0, 0, "gpu", kind=JobKind.HANDLER, job_type="send_email")
    told = "none that is alive has the handler send_email and serves the queue default with the label gpu"
    assert explained(job("a", JobState.READY), ready=ready) == f"waits for an executor: {told}"


def test_a_job_of_a_paused_queue_says_who_paused_it_and_why() -> None:
    ready = before_it(1, 0, paused_at=NOW, paused_by="token:ada", paused_why="mail is down")
    told = "waits for the queue default, which token:ada paused at 2026-01-02 03:04:05 UTC"
    assert explained(job("a", JobState.READY), ready=ready) == f"{told}: mail is down"
    assert explained(job("a", JobState.READY), ready=before_it(1, 0, paused_at=NOW, paused_by="token:ada")) == told


@pytest.mark.parametrize(
    ("labels", "executors", "before", "sentence"),
    [
        ([], 0, 0, "waits for an executor: none that is alive serves the queue default"),
        (["gpu"], 0, 0, "waits for an executor: none that is alive serves the queue default with the label gpu"),
        (
            ["a", "b", "c"],
            0,
            9,
            "waits for an executor: none that is alive serves the queue default with the labels a, b and c",
        ),
        ([], 1, 0, "is next, as soon as a slot of 1 executor is free"),
        ([], 2, 1, "waits for a slot of 2 executors: 1 job stands before it"),
        ([], 2, 7, "waits for a slot of 2 executors: 7 jobs stand before it"),
        ([], 2, 10_001, "waits for a slot of 2 executors: more than 10000 jobs stand before it"),
    ],
)
def test_a_ready_job_says_what_stands_before_it(labels: list[str], executors: int, before: int, sentence: str) -> None:
    assert explained(job("a", JobState.READY), ready=before_it(executors, before, *labels)) == sentence


def test_running_and_ended_jobs_wait_for_nothing() -> None:
    for state in (JobState.RUNNING, JobState.SUCCEEDED, JobState.FAILED, JobState.SKIPPED):
        assert explained(job("a", state)) is None
    assert (
        explained(job("a", JobState.RUNNING, cancel_requested_at=NOW)) == "is being canceled: it is given time to end"
    )


def test_each_job_stands_right_of_all_that_it_needs() -> None:
    plan = job("plan", JobState.SUCCEEDED, kind=JobKind.PLAN)
    lint, unit = job("lint", JobState.READY), job("unit", JobState.READY)
    build = job("build", JobState.BLOCKED, (lint.job_id,))
    deploy = job("deploy", JobState.BLOCKED, (build.job_id, unit.job_id))
    columns = order_jobs([plan, deploy, lint, build, unit])
    assert [[shown.key for shown in column] for column in columns] == [
        ["plan"],
        ["lint", "unit"],
        ["build"],
        ["deploy"],
    ]


def test_a_very_long_chain_of_jobs_can_be_ordered() -> None:
    chain = [job("0", JobState.READY)]
    for number in range(1, 3000):
        chain.append(job(str(number), JobState.BLOCKED, (chain[-1].job_id,)))
    assert len(order_jobs(chain[::-1])) == 3000
