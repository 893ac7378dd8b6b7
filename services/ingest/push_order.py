"""A push that is to become a delivery and a run, as the statement takes it."""

from typing import TypeAlias

import msgspec

from shared.ids import DeliveryId, JobId, PipelineId, RunId


class PushOrder(msgspec.Struct, frozen=True):
    """The rows' ids and what stands in them."""

    delivery_id: DeliveryId
    run_id: RunId
    plan_job_id: JobId
    pipeline_id: PipelineId
    source: str
    event: str
    forge_delivery_id: str | None
    digest: bytes
    remote_address: str
    body: bytes
    ref: str
    branch: str
    commit_sha: str
    before_sha: str | None
    title: str
    author: str


PushOrders: TypeAlias = list[PushOrder]
