"""`POST /webhooks/{pipeline}`: a signed push becomes a delivery and a run, committed before the answer.

The hot path is one remembered read and one statement, which is shared with the calls that wait beside it.
"""

import time
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Response, post
from litestar.params import PathParameter

from services.ingest.describe_push import Ignored, Push
from services.ingest.find_webhook_target import WebhookTarget
from services.ingest.problem_details import Problem, not_found, problem_responses
from services.ingest.push_order import PushOrder
from services.ingest.queries.receive_webhook import (
    FindDeliveryRow,
    find_delivery,
    ignore_delivery,
)
from services.ingest.read_generic_push import read_generic_push
from services.ingest.read_github_push import read_github_push
from services.ingest.record_rejection import record_rejection
from services.ingest.resources import FromResources, Resources
from services.ingest.verify_signature import Signed, StandardHeaders, Unsigned, verify_github, verify_standard
from services.ingest.webhook_call import Call, Signature, read_call
from shared.db import query
from shared.ids import DeliveryId, JobId, RunId, new_id

MAX_BODY_BYTES: Final = 25 * 1024 * 1024
# Checked against when there is no such pipeline, so that the work is the same.
_NO_SECRET: Final = "0" * 64


class WebhookAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of a call. A replay is answered with what its first arrival led to."""

    # accepted, replayed, ignored or pong.
    outcome: str
    delivery_id: DeliveryId
    reason: str = ""
    run_id: RunId | None = None
    number: int | None = None
    # The run's page.
    url: str | None = None


@post(
    "/webhooks/{pipeline:str}",
    request_max_body_size=MAX_BODY_BYTES,
    status_code=202,
    tags=["webhooks"],
    responses=problem_responses(400, 401, 404, 413, 415, 422, 503),
)
async def receive_webhook(
    request: Request[Any, Any, Any],
    pipeline: Annotated[str, PathParameter(description="The pipeline's name.")],
    resources: FromResources,
) -> Response[WebhookAnswer]:
    """Take a push from GitHub, or a generic one signed as Standard Webhooks says.

    202: a run was requested. 200: the same content came before, or it starts no run; `reason` says why.
    """
    call, signature = await read_call(request)
    target = await resources.targets.find(pipeline)
    verdict = _verify(signature, call.body, target.secret if target else _NO_SECRET)
    if target is None:
        raise not_found("pipeline of that name")
    if isinstance(verdict, Unsigned):
        await record_rejection(resources, target, call, verdict.reason)
        raise Problem(401, "bad-signature", f"Not accepted: {verdict.reason}.")
    try:
        pushed = _read_push(request, call, target)
    except Problem as problem:
        await record_rejection(resources, target, call, problem.detail)
        raise
    if isinstance(pushed, Ignored):
        answer = await _ignore(resources, target, call, verdict, pushed)
    else:
        answer = await _accept(resources, target, call, verdict, pushed)
    if answer is None:
        resources.targets.forget(pipeline)
        raise not_found("pipeline of that name")
    return Response(answer, status_code=202 if answer.outcome == "accepted" else 200)


def _verify(signature: Signature, body: bytes, secret: str) -> Signed | Unsigned:
    if isinstance(signature, StandardHeaders):
        return verify_standard(secret, signature, body, time.time())
    return verify_github(secret, signature, body)


def _read_push(request: Request[Any, Any, Any], call: Call, target: WebhookTarget) -> Push | Ignored:
    if call.source == "github":
        if call.event == "ping":
            return Ignored("ping")
        if call.event != "push":
            return Ignored(f"the event {call.event!r} starts no run" if call.event else "X-GitHub-Event is missing")
        if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            raise Problem(415, "content-type", "Choose the content type application/json at GitHub's webhook settings.")
        return read_github_push(call.body, target.repository_key)
    return read_generic_push(call.body)


async def _accept(
    resources: Resources, target: WebhookTarget, call: Call, signed: Signed, push: Push
) -> WebhookAnswer | None:
    """Request the run; None when the pipeline has gone meanwhile."""
    order = PushOrder(
        delivery_id=DeliveryId(new_id()),
        run_id=RunId(new_id()),
        plan_job_id=JobId(new_id()),
        pipeline_id=target.pipeline_id,
        source=call.source,
        event=call.event,
        forge_delivery_id=call.forge_delivery_id,
        digest=signed.digest,
        remote_address=call.remote_address,
        body=call.body,
        ref=push.ref,
        branch=push.branch,
        commit_sha=push.commit_sha,
        before_sha=push.before_sha,
        title=push.title,
        author=push.author,
    )
    number = await resources.push_desk.accept(order)
    if number is None:
        return await _find_earlier(resources, target, signed)
    url = f"{resources.config.base_url()}/runs/{order.run_id}"
    return WebhookAnswer("accepted", order.delivery_id, run_id=order.run_id, number=number, url=url)


async def _ignore(
    resources: Resources, target: WebhookTarget, call: Call, signed: Signed, ignored: Ignored
) -> WebhookAnswer | None:
    delivery_id = DeliveryId(new_id())
    recorded = await query(
        resources.pool,
        lambda connection: ignore_delivery(
            connection,
            delivery_id=delivery_id,
            pipeline_id=target.pipeline_id,
            source=call.source,
            delivery_event=call.event,
            forge_delivery_id=call.forge_delivery_id,
            digest=signed.digest,
            reason=ignored.reason,
            remote_address=call.remote_address,
        ),
    )
    if not recorded:
        return await _find_earlier(resources, target, signed)
    return WebhookAnswer("pong" if ignored.reason == "ping" else "ignored", delivery_id, ignored.reason)


async def _find_earlier(resources: Resources, target: WebhookTarget, signed: Signed) -> WebhookAnswer | None:
    found: FindDeliveryRow | None = await query(
        resources.pool,
        lambda connection: find_delivery(connection, pipeline_id=target.pipeline_id, digest=signed.digest),
    )
    if found is None:
        return None
    if found.run_id is None:
        return WebhookAnswer("pong" if found.reason == "ping" else "ignored", found.delivery_id, found.reason)
    url = f"{resources.config.base_url()}/runs/{found.run_id}"
    return WebhookAnswer("replayed", found.delivery_id, "", found.run_id, found.run_number, url)
