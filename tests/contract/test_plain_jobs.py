"""Jobs that ask for nothing unusual take a shorter way in: what is stored of them is the same."""

from contextlib import closing
from typing import Any

import msgspec
import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.contract.test_ringing import Ears
from tests.engine import Engine

STORED = """
select
    j.run_id, j.kind::text, j.lane_id, j.state::text, j.reason, j.priority, j.run_at, j.claim_order, j.claim_epoch,
    j.executor_id, j.attempts_used, j.max_attempts, j.losses, j.max_losses, j.cancel_requested_at, j.settled,
    j.created_at, j.claimed_at, j.finished_at, j.limit_key_id, j.redrives,
    s.key, s.position, s.needs, s.timeout_seconds, s.spec, s.payload, s.metadata, s.retry, s.traceparent, s.enqueued_by
from job j
join job_spec s on s.job_id = j.id
order by j.id
"""
ASKED: list[dict[str, Any]] = [
    {},
    {"payload": {"a": [1, None]}},
    {"payload": "null"},
    {"queue": "mail"},
    {"delay_seconds": 0.0},
    {"delay_seconds": 2.5},
    {"delay_seconds": 3600.0},
    {"run_at": "2001-01-01T00:00:00+00:00"},
    {"run_at": "2101-01-01T00:00:00+00:00"},
    {"run_at": "2001-01-01T00:00:00+00:00", "delay_seconds": 7.0},
    {"priority": -100},
    {"max_attempts": 3, "timeout_seconds": 604800},
    {"metadata": {"tenant": "t"}, "traceparent": "00-1-2-03"},
]


@pytest.mark.parametrize("published", [False, True], ids=["of nobody's handler", "of a handler with bounds of its own"])
@pytest.mark.parametrize("asked", ASKED, ids=str)
async def test_both_ways_store_the_same(engine: Engine, asked: dict[str, Any], published: bool) -> None:
    if published:
        engine.sql(
            """
            insert into job_type
                (name, description, payload_schema, result_schema, max_attempts, timeout_seconds, retry)
            values ('a', '', '{}', '{}', 7, 77, '{}')
            """
        )
    names = {"run_at": "timestamptz", "payload": "jsonb", "metadata": "jsonb"}
    given = ", ".join(f"{name} => %s::{names[name]}" if name in names else f"{name} => %s" for name in asked)
    values = [Jsonb(value) if names.get(name) == "jsonb" else value for name, value in asked.items()]
    call = f"enqueue('a'{', ' if given else ''}{given})"
    # The first one finds no lane yet, and takes the long way.
    engine.sql("select insert_jobs(%s::jsonb, session_user)", msgspec.json.encode([{"type": "a", **asked}]).decode())
    engine.sql("delete from job")
    # In one transaction, so at one time.
    engine.sql(
        f"with short as materialized (select {call} as id) "
        "select l.job_id from short s cross join lateral insert_jobs(%s::jsonb, session_user) l where s.id is not null",
        *values,
        msgspec.json.encode([{"type": "a", **asked}]).decode(),
    )
    short, long = engine.sql(STORED)
    assert short == long


@pytest.mark.parametrize(
    ("asked", "heard"),
    [
        ("'a'", ["handler_job_ready"]),
        ("'a', delay_seconds => 2", ["job_waiting"]),
        ("'a', delay_seconds => 3600", []),
        ("'a', run_at => '2001-01-01'", ["handler_job_ready"]),
    ],
)
async def test_the_short_way_rings_for_whoever_waits(engine: Engine, asked: str, heard: list[str]) -> None:
    engine.sql("select enqueue('a')")
    with closing(Ears(engine)) as ears:
        engine.sql(f"select enqueue({asked})")
        assert ears.heard() == heard


async def test_the_short_way_says_which_lane_has_something_and_the_long_way_does_not(engine: Engine) -> None:
    engine.sql("select enqueue('a', queue => 'q')")
    ((lane_id,),) = engine.sql("select id from lane where job_type = 'a'")
    with closing(Ears(engine)) as ears:
        engine.sql("select enqueue('a', queue => 'q')")
        assert ears.heard_about() == [("handler_job_ready", str(lane_id))]
        engine.sql("select enqueue('a', queue => 'q', retry => '{}')")
        assert ears.heard_about() == [("handler_job_ready", "")]


async def test_one_in_an_array_takes_the_short_way_too_and_is_told_of_in_the_same_form(engine: Engine) -> None:
    for _ in range(2):
        ((place, job_id, created),) = engine.sql("""select * from enqueue_jobs('[{"type": "a", "payload": 1}]')""")
        assert (place, created) == (0, True)
        assert engine.sql("select payload from job_spec where job_id = %s", job_id) == [(1,)]


@pytest.mark.parametrize(
    ("wanted", "hint"),
    [
        ("'A'", "no job type"),
        ("null", "no job type"),
        ("'a', priority => 101", "priority"),
        ("'a', queue => '-'", "no queue"),
        ("'a', delay_seconds => 'NaN'", "delay_seconds"),
        ("'a', idempotency_seconds => 0", "idempotency_seconds"),
        ("'a', metadata => '[]'", "metadata"),
    ],
)
async def test_what_the_short_way_does_not_take_is_refused_as_ever(engine: Engine, wanted: str, hint: str) -> None:
    engine.sql("select enqueue('a')")
    with pytest.raises(psycopg.Error, match=hint) as refused:
        engine.sql(f"select enqueue({wanted})")
    assert refused.value.sqlstate == "HD422"
    assert engine.sql("select count(*) from job") == [(1,)]
