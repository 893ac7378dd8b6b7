"""The engine's queries, each under its service's role, against a test's own database."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import UUID

import msgspec
import psycopg

from services.executor.finish_jobs import AttemptEnd
from services.executor.queries.claim_jobs import ClaimJobsRow, claim_jobs
from services.executor.queries.finish_jobs import finish_jobs
from services.executor.queries.register_executor import register_executor
from services.scheduler.queries.plan_run import insert_planned_jobs
from shared.db import Pool, open_pool, query
from shared.ids import ExecutorId, JobId, PipelineId, RunId, new_id
from shared.job_spec import JobSpec, ShellSpec, StepSpec
from shared.queries.models import AttemptOutcome, JobKind, JobState
from shared.run_metadata import RunMetadata
from tests.database import TestDatabase

METADATA = RunMetadata("app", "", 1, "push", "refs/heads/main", "main", "0" * 40)
SPEC: JobSpec = ShellSpec(steps=[StepSpec(name="true", run="true")])


class Engine:
    """Pools of the scheduler and of the executor, and shorthands for what tests do often."""

    def __init__(self, database: TestDatabase, scheduler: Pool, executor: Pool) -> None:
        self.database = database
        self.scheduler = scheduler
        self.executor = executor

    def sql(self, statement: str, *arguments: object) -> list[tuple[Any, ...]]:
        """Run one statement as superuser; returns its rows."""
        with psycopg.connect(self.database.dsn(), autocommit=True) as connection:
            cursor = connection.execute(statement, arguments)
            return cursor.fetchall() if cursor.description else []

    def add_pipeline(self, name: str = "app") -> PipelineId:
        pipeline_id = PipelineId(new_id())
        self.sql(
            """
            insert into pipeline (
                id, name, repository_url, repository_key, default_branch, file_path, env, sealed_webhook_secret, key_id
            ) values (%s, %s, 'https://example.org/app.git', 'example.org/app', 'main', '.howdah.yml', '{}', '', 'k1')
            """,
            pipeline_id,
            name,
        )
        return pipeline_id

    def request_run(self, pipeline_id: PipelineId) -> tuple[RunId, JobId]:
        """Request a run; returns its id and that of its plan job."""
        run_id, plan_job_id = RunId(new_id()), JobId(new_id())
        self.sql(
            """
            select request_run(
                %s, %s, %s, 'push', 'refs/heads/main', 'main', %s, null, 't', 'a', 'test', null, null, 60
            )
            """,
            run_id,
            plan_job_id,
            pipeline_id,
            "0" * 40,
        )
        return run_id, plan_job_id

    async def start_run(self, jobs: dict[str, list[str]], *, max_attempts: int = 1) -> tuple[RunId, dict[str, JobId]]:
        """Make a run whose plan has been applied, with these jobs and their needs; returns the ids."""
        run_id, plan_job_id = self.request_run(self.add_pipeline(f"p{new_id().hex[-12:]}"))
        self.sql("update job set state = 'succeeded', finished_at = now(), settled = true where id = %s", plan_job_id)
        self.sql("update run set state = 'running', started_at = now() where id = %s", run_id)
        ids = {key: JobId(new_id()) for key in jobs}
        await query(
            self.scheduler,
            lambda connection: insert_planned_jobs(
                connection,
                run_id=run_id,
                max_attempts=max_attempts,
                job_ids=list(ids.values()),
                keys=list(ids),
                positions=list(range(len(ids))),
                needs=["{" + ",".join(str(ids[need]) for need in needs) + "}" for needs in jobs.values()],
                timeouts_seconds=[60] * len(ids),
                specs=[SPEC] * len(ids),
                states=[JobState.BLOCKED if needs else JobState.READY for needs in jobs.values()],
                reasons=["needs" if needs else "" for needs in jobs.values()],
                job_types=[""] * len(ids),
                payloads=[""] * len(ids),
                metadata=METADATA,
            ),
        )
        return run_id, ids

    async def add_executor(
        self,
        *,
        queues: list[str] | None = None,
        labels: list[str] | None = None,
        job_types: list[str] | None = None,
    ) -> ExecutorId:
        executor_id = ExecutorId(new_id())
        await query(
            self.executor,
            lambda connection: register_executor(
                connection,
                executor_id=executor_id,
                name="test",
                version="0",
                queues=queues or ["default", "plan"],
                labels=labels or [],
                slots=10,
                plan_slots=10,
                handler_slots=100,
                job_types=job_types or [],
            ),
        )
        return executor_id

    async def claim(
        self,
        executor_id: ExecutorId,
        slots: int = 10,
        *,
        kind: JobKind = JobKind.SHELL,
        queue: str = "default",
        labels: list[str] | None = None,
    ) -> list[ClaimJobsRow]:
        return await query(
            self.executor,
            lambda connection: claim_jobs(
                connection, executor_id=executor_id, kinds=[kind], slots=[slots], queues=[queue], labels=labels or []
            ),
        )

    async def finish(self, executor_id: ExecutorId, job: ClaimJobsRow, end: AttemptEnd) -> JobState | None:
        """Finish one job; returns its state, or None if the finish was refused."""
        rows = await query(
            self.executor,
            lambda connection: finish_jobs(
                connection,
                executor_id=executor_id,
                job_ids=[job.job_id],
                epochs=[job.epoch],
                outcomes=[end.outcome],
                reasons=[end.reason],
                exit_codes=[-1 if end.exit_code is None else end.exit_code],
                errors=[end.error],
                results=[end.result],
                retry_in_seconds=[end.retry_in_seconds],
                failing_lines=[-1 if end.failing is None else end.failing.number],
                failing_texts=["" if end.failing is None else end.failing.text],
            ),
        )
        return rows[0].state if rows else None

    def job(self, job_id: JobId | UUID) -> "JobRow":
        """Read a job's row."""
        rows = self.sql(
            """
            select state::text, reason, claim_epoch, attempts_used, losses, executor_id, finished_at is not null,
                cancel_requested_at is not null, settled
            from job where id = %s
            """,
            job_id,
        )
        return JobRow(*rows[0])


class JobRow(msgspec.Struct, frozen=True):
    """What tests look at of a job."""

    state: str
    reason: str | None
    claim_epoch: int
    attempts_used: int
    losses: int
    executor_id: UUID | None
    is_finished: bool
    is_cancel_requested: bool
    is_settled: bool


SUCCEEDED = AttemptEnd(AttemptOutcome.SUCCEEDED, exit_code=0)
FAILED = AttemptEnd(AttemptOutcome.FAILED, exit_code=1, error="exit code 1")


@asynccontextmanager
async def open_engine(database: TestDatabase) -> AsyncIterator[Engine]:
    """Open the pools."""
    async with AsyncExitStack() as stack:
        pools = [
            await stack.enter_async_context(open_pool(database.dsn(role), name=f"test-{role}", max_size=8))
            for role in ("scheduler", "executor")
        ]
        yield Engine(database, *pools)
