"""Types of job, published as executors do it, and jobs of them at every stage."""

from functools import partial
from typing import Any
from uuid import UUID

import msgspec

from services.executor.finish_and_claim import Wanted, finish_and_claim
from services.executor.finish_jobs import AttemptEnd
from services.executor.hold_calls import HeldCall
from services.executor.queries.finish_jobs import finish_jobs
from services.executor.queries.publish_job_types import publish_job_types
from shared.db import query
from shared.ids import ExecutorId, JobId
from shared.jobs.retry_policy import RetryPolicy
from tests.engine import Engine
from tests.service.ingest.door import Door

EMAIL_SCHEMA: dict[str, Any] = {
    "$ref": "#/$defs/SendEmail",
    "$defs": {
        "SendEmail": {
            "title": "SendEmail",
            "type": "object",
            "properties": {
                "to": {"type": "array", "items": {"$ref": "#/$defs/Address"}, "minItems": 1},
                "subject": {"type": "string"},
            },
            "required": ["to"],
            "additionalProperties": False,
        },
        "Address": {"type": "string", "minLength": 3},
    },
}
ANYTHING: dict[str, Any] = {}


async def publish(engine: Engine, **schemas: dict[str, Any]) -> None:
    """Publish a type for each keyword, with its payload's schema."""
    count = len(schemas)
    await query(
        engine.executor,
        lambda connection: publish_job_types(
            connection,
            names=list(schemas),
            descriptions=["A test."] * count,
            payload_schemas=list(schemas.values()),
            result_schemas=[{}] * count,
            max_attempts=[3] * count,
            timeouts_seconds=[60] * count,
            retries=[msgspec.to_builtins(RetryPolicy())] * count,
            batch_sizes=[1] * count,
        ),
    )


async def enqueue(door: Door, job_type: str = "note", **fields: Any) -> JobId:
    """Enqueue one job; returns its id."""
    answer = await door.post("/api/v1/jobs", {"type": job_type, **fields})
    assert answer.status_code == 201, answer.text
    return JobId(UUID(answer.json()["job_id"]))


async def enqueue_many(door: Door, jobs: list[dict[str, Any]]) -> list[str]:
    """Enqueue jobs; returns their ids in order."""
    answer = await door.post("/api/v1/jobs", jobs)
    assert answer.status_code == 201, answer.text
    return [job["job_id"] for job in answer.json()["jobs"]]


async def take(
    engine: Engine,
    executor_id: ExecutorId,
    *job_types: str,
    slots: int = 100,
    done: list[HeldCall] | None = None,
) -> list[HeldCall]:
    """Turn jobs of handlers over as an executor does: finish those that succeeded, and claim of one lane."""
    ended = done or []
    found = await query(
        engine.executor,
        partial(
            finish_and_claim,
            ended=ended,
            executor_id=executor_id,
            marks={},
            wanted=Wanted.of(queues=["default"], job_types=job_types, labels=[]),
            slots=slots,
        ),
    )
    assert found.done == len(ended)
    return found.claimed


async def finish(engine: Engine, executor_id: ExecutorId, row: HeldCall, end: AttemptEnd) -> None:
    """End an attempt otherwise than by success without a result."""
    job_id, epoch = row.job_id, row.epoch
    rows = await query(
        engine.executor,
        lambda connection: finish_jobs(
            connection,
            executor_id=executor_id,
            job_ids=[job_id],
            epochs=[epoch],
            outcomes=[end.outcome],
            reasons=[end.reason],
            exit_codes=[-1],
            errors=[end.error],
            results=[end.result],
            retry_in_seconds=[end.retry_in_seconds],
            failing_lines=[-1],
            failing_texts=[""],
        ),
    )
    assert rows, "the finish was refused"
