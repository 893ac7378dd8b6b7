"""Fill a stack's database with the packed logs of many jobs, as if they had run over the last weeks."""

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import repeat
from multiprocessing import get_context
from typing import Final
from uuid import UUID

import psycopg

from shared.ids import new_id
from tests.bench.open_bench import Bench
from tests.bench.write_logs import PackedJob, pack_job

PIPELINES: Final = 5
_DAYS: Final = 28
COPY_BLOCKS: Final = """
copy log_block (
    retention, day, job_id, epoch, first_seq, last_seq, first_line, line_count, first_byte, byte_count, last_at,
    top_level, pipeline_id, words, data
) from stdin
"""


def fill_logs(bench: Bench, jobs: int) -> None:
    """Store the logs of so many jobs, each in a run of its own, of five pipelines in turns; the last has just ended."""
    now = datetime.now(UTC).replace(microsecond=0)
    ends = [now - timedelta(days=_DAYS) * (jobs - number) / jobs for number in range(jobs)]
    pipelines = [new_id() for _ in range(PIPELINES)]
    job_ids = [new_id() for _ in range(jobs)]
    run_ids = [new_id() for _ in range(jobs)]
    for number, pipeline_id in enumerate(pipelines):
        _add_pipeline(bench, pipeline_id, f"searched-{number}")
    _add_jobs(bench, pipelines, run_ids, job_ids, ends)
    for end in ends:
        bench.sql("select make_log_block_partition('standard', %s)", end.date())
    with psycopg.connect(bench.dsn()) as connection, connection.cursor().copy(COPY_BLOCKS) as copy:
        for packed in _pack(jobs, ends):
            number = packed.number
            for row in block_rows(packed, job_ids[number], pipelines[number % PIPELINES], ends[number]):
                copy.write_row(row)
    bench.sql(
        """
        update attempt a
        set last_seq = b.last_seq, packed_seq = b.last_seq, log_lines = b.lines, log_bytes = b.bytes
        from (
            select b.job_id, max(b.last_seq) as last_seq, sum(b.line_count) as lines, sum(b.byte_count) as bytes
            from log_block b
            group by b.job_id
        ) b
        where a.job_id = b.job_id
        """
    )
    # As autovacuum does some time after so many rows have come.
    bench.sql("vacuum (analyze) log_block, attempt, job, job_spec, run")


def block_rows(packed: PackedJob, job_id: UUID, pipeline_id: UUID, end: datetime) -> Iterator[tuple[object, ...]]:
    """Yield the rows of a job's blocks, as `COPY_BLOCKS` takes them."""
    first_byte = 0
    for block in packed.blocks:
        yield (
            *("standard", end.date(), job_id, 1, block.first_seq, block.last_seq, block.first_line, block.line_count),
            *(first_byte, block.byte_count, block.last_at, int(block.top_level), pipeline_id, block.words, block.data),
        )
        first_byte += block.byte_count


def _pack(jobs: int, ends: list[datetime]) -> Iterator[PackedJob]:
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        yield from pool.map(pack_job, range(jobs), repeat(jobs), ends, chunksize=4)


def _add_pipeline(bench: Bench, pipeline_id: UUID, name: str) -> None:
    bench.sql(
        """
        insert into pipeline (
            id, name, repository_url, repository_key, default_branch, file_path, env, sealed_webhook_secret, key_id
        ) values (%s, %s, 'https://example.org/app.git', 'example.org/app', 'main', '.howdah.yml', '{}', '', 'k1')
        """,
        pipeline_id,
        name,
    )


def _add_jobs(
    bench: Bench, pipelines: list[UUID], run_ids: list[UUID], job_ids: list[UUID], ends: list[datetime]
) -> None:
    bench.sql(
        """
        create temporary table given as
        select g.*, row_number() over (order by g.ended_at) as number
        from unnest(%s::uuid[], %s::uuid[], %s::timestamptz[], %s::uuid[]) as g (run_id, job_id, ended_at, pipeline_id)
        """,
        run_ids,
        job_ids,
        ends,
        [pipelines[number % PIPELINES] for number in range(len(job_ids))],
    )
    bench.sql(
        """
        insert into run (
            id, pipeline_id, number, state, event, ref, branch, commit_sha, title, author, requested_by, plan_job_id,
            created_at, started_at, finished_at
        )
        select
            g.run_id, g.pipeline_id, g.number, 'succeeded', 'push', 'refs/heads/main', 'main', repeat('0', 40), '', '',
            'bench', g.job_id, g.ended_at, g.ended_at, g.ended_at
        from given g
        """
    )
    bench.sql(
        """
        insert into job (
            id, run_id, kind, lane_id, state, run_at, claim_order, claim_epoch, executor_id, settled, created_at,
            claimed_at, finished_at
        )
        select
            g.job_id, g.run_id, 'shell', lane_of('shell', 'default', '', '{}'), 'succeeded', g.ended_at, 0, 1, g.job_id,
            true, g.ended_at, g.ended_at, g.ended_at
        from given g
        """
    )
    bench.sql(
        """
        insert into job_spec (job_id, key, position, timeout_seconds, spec)
        select g.job_id, 'build', 0, 60, '{}'
        from given g
        """
    )
    bench.sql(
        """
        insert into attempt (
            job_id, epoch, executor_id, started_at, ended_at, outcome, exit_code, log_day, log_state, packed_at,
            log_retention
        )
        select
            g.job_id, 1, g.job_id, g.ended_at, g.ended_at, 'succeeded', 0, (g.ended_at at time zone 'utc')::date,
            'compact', g.ended_at, 'standard'
        from given g
        """
    )
    bench.sql("drop table given")
