"""Pipelines: enter, list, show, change, delete. What is secret in them is sealed, and shown once, when it is made."""

from typing import Annotated, Any, Final

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.params import JSONBody, PathParameter
from msgspec import UNSET

from services.ingest.authenticate import FromActor, require_admin, require_viewer
from services.ingest.check_pipeline import (
    NewPipeline,
    PipelineChanges,
    check_paths,
    checked_secret,
    repository_key,
)
from services.ingest.find_webhook_target import PIPELINE_NAME
from services.ingest.page_cursor import DEFAULT_LIMIT, Cursor, Limit, read_cursor, write_cursor
from services.ingest.problem_details import Problem, not_found, problem_responses
from services.ingest.queries.pipelines import (
    create_pipeline,
    delete_pipeline,
    get_pipeline,
    list_pipelines,
    update_pipeline,
)
from services.ingest.queries.rows import Pipeline
from services.ingest.resources import FromResources, Resources
from services.ingest.seal_again import seal_again
from services.ingest.seal_secrets import seal_credential
from services.ingest.verify_signature import make_secret
from shared.db import Connection, in_transaction, query
from shared.ids import PipelineId, new_id
from shared.queries.audit import record_event
from shared.sealed_values import webhook_secret_of

PipelineInPath = Annotated[str, PathParameter(description="The pipeline's name.")]
_RESPONSES: Final = problem_responses(400, 401, 403, 404, 409, 422, 503)


class EnteredPipeline(Pipeline, frozen=True, kw_only=True):
    """A new pipeline, with the secret that is shown this once, and the address for its webhook."""

    webhook_secret: str
    webhook_url: str


class PipelinePage(msgspec.Struct, frozen=True):
    """Pipelines by name."""

    pipelines: list[Pipeline]
    next: str | None


@post("/pipelines", guards=[require_admin], tags=["pipelines"], responses=_RESPONSES)
async def enter_pipeline(
    data: JSONBody[NewPipeline], resources: FromResources, actor: FromActor
) -> Response[EnteredPipeline]:
    """Enter a pipeline. The answer shows its webhook secret, this once."""
    key = repository_key(resources.config, data.repository_url)
    check_paths(data.default_branch, data.file_path)
    secret = make_secret() if data.webhook_secret is None else checked_secret(data.webhook_secret)
    pipeline_id = PipelineId(new_id())
    sealer = resources.sealer

    async def enter(connection: Connection) -> Pipeline | None:
        entered = await create_pipeline(
            connection,
            pipeline_id=pipeline_id,
            name=data.name,
            repository_url=data.repository_url,
            repository_key=key,
            default_branch=data.default_branch,
            file_path=data.file_path,
            env=data.env,
            log_retention=data.log_retention,
            sealed_webhook_secret=sealer.seal(secret.encode(), purpose=webhook_secret_of(pipeline_id)),
            sealed_git_credential=seal_credential(sealer, data.git_credential, pipeline_id),
            key_id=sealer.key_id,
        )
        if entered is not None:
            await _record(connection, "pipeline.created", actor.name, pipeline_id, {"name": data.name})
        return entered

    pipeline = await in_transaction(resources.pool, enter)
    if pipeline is None:
        raise Problem(409, "name-taken", f"There is a pipeline called {data.name} already.")
    resources.targets.forget(data.name)
    shown = EnteredPipeline(
        **msgspec.structs.asdict(pipeline),
        webhook_secret=secret,
        webhook_url=f"{resources.config.base_url()}/webhooks/{data.name}",
    )
    return Response(shown, status_code=201, headers={"Location": f"/api/v1/pipelines/{data.name}"})


@get("/pipelines", guards=[require_viewer], tags=["pipelines"], responses=_RESPONSES)
async def show_pipelines(resources: FromResources, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> PipelinePage:
    """List pipelines by name."""
    after = "" if cursor is None else read_cursor(cursor, str)
    found = await query(
        resources.pool, lambda connection: list_pipelines(connection, after_name=after, max_rows=limit + 1)
    )
    return PipelinePage(found[:limit], write_cursor(found[limit - 1].name) if len(found) > limit else None)


@get("/pipelines/{pipeline:str}", guards=[require_viewer], tags=["pipelines"], responses=_RESPONSES)
async def show_pipeline(pipeline: PipelineInPath, resources: FromResources) -> Pipeline:
    """Show a pipeline."""
    return await find_pipeline(resources, pipeline)


@patch("/pipelines/{pipeline:str}", guards=[require_admin], tags=["pipelines"], responses=_RESPONSES)
async def change_pipeline(
    pipeline: PipelineInPath, data: JSONBody[PipelineChanges], resources: FromResources, actor: FromActor
) -> Pipeline:
    """Change what is given of a pipeline. Runs that exist go on as they were requested."""
    checked_name(pipeline)
    given = {field: value for field, value in msgspec.structs.asdict(data).items() if value is not UNSET}
    key = repository_key(resources.config, given["repository_url"]) if "repository_url" in given else None
    check_paths(given.get("default_branch"), given.get("file_path"))
    if "webhook_secret" in given:
        checked_secret(given["webhook_secret"])

    async def change(connection: Connection) -> Pipeline | None:
        # First, since it locks the row: two changes at once must not undo each other's secrets.
        changed = await update_pipeline(
            connection,
            name=pipeline,
            repository_url=given.get("repository_url"),
            repository_key=key,
            default_branch=given.get("default_branch"),
            file_path=given.get("file_path"),
            env=given.get("env"),
            log_retention=given.get("log_retention"),
        )
        if changed is None:
            return None
        if given.keys() & {"webhook_secret", "git_credential"}:
            await seal_again(connection, resources.sealer, pipeline, data)
        await _record(
            connection, "pipeline.updated", actor.name, changed.pipeline_id, {"name": pipeline, "fields": sorted(given)}
        )
        return await get_pipeline(connection, name=pipeline)

    changed = await in_transaction(resources.pool, change)
    if changed is None:
        raise not_found("pipeline of that name")
    resources.targets.forget(pipeline)
    return changed


@delete("/pipelines/{pipeline:str}", guards=[require_admin], tags=["pipelines"], responses=_RESPONSES)
async def remove_pipeline(pipeline: PipelineInPath, resources: FromResources, actor: FromActor) -> None:
    """Delete a pipeline with its runs and their logs; refused while a run is active."""
    checked_name(pipeline)

    async def remove(connection: Connection) -> int | None:
        found = await delete_pipeline(connection, name=pipeline)
        if found is None:
            return None
        if found.deleted:
            await _record(connection, "pipeline.deleted", actor.name, found.pipeline_id, {"name": pipeline})
        return found.active_runs

    active_runs = await in_transaction(resources.pool, remove)
    resources.targets.forget(pipeline)
    if active_runs is None:
        raise not_found("pipeline of that name")
    if active_runs:
        raise Problem(409, "runs-active", f"{active_runs} of its runs have not ended: cancel them, or wait.")


async def find_pipeline(resources: Resources, name: str) -> Pipeline:
    """Return a pipeline by its name. Raises `Problem`."""
    checked_name(name)
    found = await query(resources.pool, lambda connection: get_pipeline(connection, name=name))
    if found is None:
        raise not_found("pipeline of that name")
    return found


def checked_name(name: str) -> str:
    """Return a name that a pipeline may have. Raises `Problem`."""
    if not PIPELINE_NAME.fullmatch(name):
        raise not_found("pipeline of that name")
    return name


async def _record(
    connection: Connection, name: str, actor: str, pipeline_id: PipelineId, detail: dict[str, Any]
) -> None:
    await record_event(
        connection, name=name, actor=actor, pipeline_id=pipeline_id, run_id=None, job_id=None, detail=detail
    )
