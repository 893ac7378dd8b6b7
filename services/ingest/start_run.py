"""`POST /api/v1/pipelines/{pipeline}/runs`: start a run by hand."""

from typing import Final

import msgspec
from litestar import Response, post
from litestar.params import JSONBody

from services.ingest.authenticate import FromActor, require_developer
from services.ingest.describe_push import commit_fault, ref_fault
from services.ingest.manage_pipelines import PipelineInPath, find_pipeline
from services.ingest.problem_details import bad_field, problem_responses
from services.ingest.queries.runs import start_run as request_run
from services.ingest.resources import FromResources
from shared.db import query
from shared.ids import JobId, RunId, new_id

_BRANCH_PREFIX: Final = "refs/heads/"


class RunOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to build: a full ref, or a branch, or nothing for the default branch; at a commit, or its newest."""

    ref: str | None = None
    branch: str | None = None
    commit: str | None = None


class RequestedRun(msgspec.Struct, frozen=True):
    """The run that was requested, and its page."""

    run_id: RunId
    number: int
    url: str


@post(
    "/pipelines/{pipeline:str}/runs",
    status_code=202,
    guards=[require_developer],
    tags=["runs"],
    responses=problem_responses(400, 401, 403, 404, 422, 503),
)
async def start_run(
    pipeline: PipelineInPath, data: JSONBody[RunOrder], resources: FromResources, actor: FromActor
) -> Response[RequestedRun]:
    """Start a run. Its plan job resolves the ref to a commit, if none is given."""
    if data.ref is not None and data.branch is not None:
        raise bad_field("branch", "give it or `ref`, not both")
    found = await find_pipeline(resources, pipeline)
    ref = data.ref or _BRANCH_PREFIX + (data.branch or found.default_branch)
    if fault := ref_fault(ref):
        raise bad_field("ref" if data.ref else "branch", fault)
    if data.commit is not None and (fault := commit_fault(data.commit)):
        raise bad_field("commit", fault)
    run_id = RunId(new_id())
    number = await query(
        resources.pool,
        lambda connection: request_run(
            connection,
            run_id=run_id,
            plan_job_id=JobId(new_id()),
            pipeline_id=found.pipeline_id,
            ref=ref,
            branch=ref.removeprefix(_BRANCH_PREFIX) if ref.startswith(_BRANCH_PREFIX) else None,
            commit_sha=data.commit,
            title="started by hand",
            author=actor.name.removeprefix("token:"),
            requested_by=actor.name,
            plan_timeout_seconds=resources.config.plan_timeout_seconds,
        ),
    )
    shown = RequestedRun(run_id, number, f"{resources.config.base_url()}/runs/{run_id}")
    return Response(shown, status_code=202, headers={"Location": f"/api/v1/runs/{run_id}"})
