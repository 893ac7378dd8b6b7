"""NOTIFY is rationed: one ring for a statement at most, none without a row, none at all with the switch off."""

from contextlib import closing
from functools import partial

import psycopg
from psycopg.types.json import Jsonb

from services.executor.queries.append_logs import ring_log_appended
from services.ingest.queries.commands import give_command
from services.scheduler.queries.promote_jobs import promote_jobs
from shared.db import open_pool, query
from shared.ids import CommandId, new_id
from shared.queries.models import CommandKind
from tests.database import TestDatabase
from tests.engine import FAILED, SUCCEEDED, Engine

CHANNELS = (
    "job_ready",
    "handler_job_ready",
    "job_finished",
    "job_waiting",
    "job_cancel",
    "log_appended",
    "event_recorded",
    "command_given",
)


class Ears:
    """A connection that hears every channel."""

    def __init__(self, engine: Engine) -> None:
        self._connection = psycopg.connect(engine.database.dsn(), autocommit=True)
        for channel in CHANNELS:
            self._connection.execute(f"listen {channel}".encode())

    def heard(self) -> list[str]:
        """The channels that have been notified since the last time, by commits that came before."""
        return sorted(channel for channel, _ in self.heard_about())

    def heard_about(self) -> list[tuple[str, str]]:
        """The channels, and what was said there."""
        self._connection.execute("select 1")
        return [(n.channel, n.payload) for n in self._connection.notifies(timeout=0)]

    def close(self) -> None:
        self._connection.close()


async def test_a_statement_rings_once_however_many_rows_it_moves(engine: Engine) -> None:
    ears = Ears(engine)
    await engine.start_run({key: [] for key in "abcde"})
    assert ears.heard() == ["event_recorded", "job_ready", "job_ready"]  # the plan job's, then the five jobs'
    executor = await engine.add_executor()
    jobs = await engine.claim(executor)
    assert ears.heard() == ["event_recorded"]
    await engine.finish(executor, jobs[0], SUCCEEDED)
    assert ears.heard() == ["event_recorded", "job_finished"]
    ears.close()


async def test_runs_that_are_requested_together_ring_once_together(engine: Engine) -> None:
    pipeline = engine.add_pipeline()
    ears = Ears(engine)
    request = "row(gen_random_uuid(), gen_random_uuid(), %s, 'push', '', '', null, null, '', '', '', null, null)"
    requests = ", ".join([f"{request}::run_request"] * 3)
    assert len(engine.sql(f"select request_runs(array[{requests}], 60)", *[pipeline] * 3)) == 3
    assert ears.heard() == ["event_recorded", "job_ready"]
    assert engine.sql("select request_runs('{}', 60)") == []
    assert ears.heard() == []
    ears.close()


async def test_what_moves_nothing_rings_nothing(engine: Engine) -> None:
    await engine.start_run({"a": []})
    executor = await engine.add_executor()
    (job,) = await engine.claim(executor)
    await engine.finish(executor, job, FAILED)
    ears = Ears(engine)
    assert await engine.claim(executor) == []
    assert await engine.finish(executor, job, FAILED) is None
    await query(engine.scheduler, partial(promote_jobs, now=None, max_jobs=10))
    assert ears.heard() == []
    ears.close()


async def test_the_switch_silences_everything(database: TestDatabase, engine: Engine) -> None:
    engine.sql(f"alter database {database.name} set howdah.notify = 'off'")
    ears = Ears(engine)
    async with open_pool(database.dsn("executor"), name="quiet", max_size=1) as pool:
        await query(pool, ring_log_appended)
    await engine.start_run({"a": []})
    ears_heard = ears.heard()
    ears.close()
    # The engine's own pools were opened before the switch was set: only theirs may be heard.
    assert "log_appended" not in ears_heard


async def test_a_command_rings_for_the_scheduler(database: TestDatabase, engine: Engine) -> None:
    run_id, _ = await engine.start_run({"a": []})
    ears = Ears(engine)
    async with open_pool(database.dsn("ingest"), name="ingest", max_size=1) as pool:
        await query(
            pool,
            partial(
                give_command,
                command_id=CommandId(new_id()),
                kind=CommandKind.CANCEL_RUN,
                run_id=run_id,
                job_id=None,
                queue=None,
                job_filter=None,
                given_by="me",
                why="",
            ),
        )
    assert ears.heard() == ["command_given"]
    ears.close()


async def test_the_payload_of_a_notification_is_empty_or_the_number_of_a_lane(engine: Engine) -> None:
    with closing(Ears(engine)) as ears:
        await engine.start_run({"a" * 60: []})
        (job,) = await engine.claim(await engine.add_executor())
        assert job.key == "a" * 60
        for _ in range(2):
            engine.sql("select enqueue('a', to_jsonb(repeat('x', 1000000)), queue => %s)", "q" * 60)
        engine.sql("select count(*) from enqueue_jobs(%s)", Jsonb([{"type": "a"}, {"type": "b"}]))
        payloads = {payload for _, payload in ears.heard_about()}
    lanes = {str(lane_id) for (lane_id,) in engine.sql("select id from lane where queue = %s", "q" * 60)}
    assert payloads == {"", *lanes}
