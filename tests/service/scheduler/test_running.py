"""A real scheduler does every duty for jobs on their own, and stops when it is asked to."""

from collections.abc import Iterator

import pytest
from psycopg.types.json import Jsonb

from shared.ids import new_id
from tests.cluster import Cluster, run_cluster
from tests.database import TestDatabase


@pytest.fixture
def cluster(database: TestDatabase) -> Iterator[Cluster]:
    with run_cluster(database) as running:
        yield running


def enqueue(cluster: Cluster, **job: object) -> object:
    ((job_id,),) = cluster.sql("select job_id from insert_jobs(%s, 'test')", Jsonb([{"type": "email"} | job]))
    return job_id


def await_state(cluster: Cluster, job_id: object, state: str) -> None:
    cluster.wait_until(
        f"the job is {state}", lambda: cluster.sql("select state::text from job where id = %s", job_id) == [(state,)]
    )


def test_every_duty_is_done_and_all_of_them_end_when_asked(cluster: Cluster) -> None:
    cluster.sql(
        """
        insert into schedule (id, name, cron, timezone, catch_up, job, created_by, updated_at)
        values (
            %s, 'every-minute', '* * * * *', 'Europe/Paris', 'latest', '{"type": "report"}', 'me',
            now() - interval '1 hour'
        )
        """,
        new_id(),
    )
    expired = enqueue(cluster)
    cluster.sql(
        """
        update job
        set id = '00000000-0000-7000-8000-000000000000', state = 'succeeded', finished_at = now() - interval '8 days'
        where id = %s
        """,
        expired,
    )
    scheduler = cluster.start("scheduler")
    await_state(cluster, enqueue(cluster, concurrency_key="k"), "ready")
    await_state(cluster, enqueue(cluster, delay_seconds=0.01, concurrency_key="other"), "ready")
    await_state(cluster, enqueue(cluster, delay_seconds=0.01), "ready")
    of_many = enqueue(cluster, queue="many")
    cluster.sql(
        "insert into command (id, kind, job_filter, given_by, why) values (%s, 'cancel_jobs', %s, '', '')",
        new_id(),
        Jsonb({"queue": "many"}),
    )
    await_state(cluster, of_many, "canceled")
    single = enqueue(cluster)
    cluster.sql(
        "insert into command (id, kind, job_id, given_by, why) values (%s, 'cancel_job', %s, '', '')", new_id(), single
    )
    await_state(cluster, single, "canceled")
    ticks = "select count(*) > 0 from schedule_tick where job_id is not null"
    cluster.wait_until("the schedule has fired", lambda: cluster.sql(ticks) == [(True,)])
    cluster.wait_until(
        "what has expired is gone", lambda: cluster.sql("select 1 from job where state = 'succeeded'") == []
    )
    cluster.wait_until("counts are folded", lambda: cluster.sql("select 1 from job_count_change limit 1") == [])
    scheduler.stop()
    assert scheduler.process is not None
    assert scheduler.process.returncode == 0
