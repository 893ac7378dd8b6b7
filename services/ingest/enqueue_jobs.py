"""`POST /api/v1/jobs`: enqueue one job on its own, or an array of them, all or nothing."""

import re
from typing import Any, Final

import msgspec
from litestar import Request, Response, post
from litestar.openapi.datastructures import ResponseSpec

from services.ingest.authenticate import FromActor, require_developer
from services.ingest.job_catalog import describe_unknown_type
from services.ingest.list_jobs import ListedJob, list_jobs_by_id
from services.ingest.name_field import FieldError
from services.ingest.problem_details import Problem, bad_field, not_found, problem_responses
from services.ingest.queries.enqueue_jobs import InsertJobsRow, insert_jobs
from services.ingest.read_new_jobs import ReadJobs, read_new_jobs, too_large
from services.ingest.resources import FromResources, Resources
from shared.db import query
from shared.errors import RefusedError
from shared.ids import JobId

MOST_BODY_BYTES: Final = 64 * 1024 * 1024
# What the schema's functions say of one job of many.
_REFUSED_PLACE: Final = re.compile(r"job ([0-9]+): (.*)", re.DOTALL)


class EnqueuedJob(msgspec.Struct, frozen=True):
    """A job by its id; not `created`: an idempotency key led to an earlier one."""

    job_id: JobId
    created: bool


class EnqueuedJobs(msgspec.Struct, frozen=True):
    """The jobs of an array, in its order."""

    jobs: list[EnqueuedJob]


_Answer = ListedJob | EnqueuedJobs


@post(
    "/jobs",
    request_max_body_size=MOST_BODY_BYTES,
    status_code=201,
    guards=[require_developer],
    tags=["jobs"],
    responses={
        **problem_responses(400, 401, 403, 404, 409, 413, 422, 503),
        200: ResponseSpec(_Answer, description="All were there already.", generate_examples=False),
    },
)
async def enqueue_jobs(
    request: Request[Any, Any, Any], resources: FromResources, actor: FromActor
) -> Response[_Answer]:
    """Enqueue a job, or an array of up to 10,000: all of them, or none.

    One: 201 with the job, 200 with the earlier job that its idempotency key led to. An array: 201 with the id of each,
    200 if all were there already. 409: the key was used for another payload or queue.
    """
    read = read_new_jobs(await request.body())
    await check_payloads(resources, read)
    rows = await _insert(resources, read, actor.name)
    status = 201 if any(row.created for row in rows) else 200
    if read.many:
        return Response(EnqueuedJobs([EnqueuedJob(row.job_id, row.created) for row in rows]), status_code=status)
    job_id = rows[0].job_id
    found = await query(resources.pool, lambda connection: list_jobs_by_id(connection, [job_id]))
    if not found:
        raise not_found("job any more that the idempotency key led to: it has just been removed. Send it again")
    return Response(found[0], status_code=status, headers={"Location": f"/api/v1/jobs/{job_id}"})


async def check_payloads(resources: Resources, read: ReadJobs) -> None:
    """Refuse a type that nobody has published, and a payload that its schema does not allow. Raises `Problem`."""
    known = await resources.job_catalog.types_with({job.type for job in read.jobs})
    for place, (job, payload) in enumerate(zip(read.jobs, read.payloads, strict=True)):
        job_type = known.get(job.type)
        if job_type is None:
            raise bad_field(read.field(place, "type"), describe_unknown_type(job.type, known))
        if errors := job_type.find_errors(payload):
            field = read.field(place, "payload")
            named = [FieldError(_join(field, error.field), error.message) for error in errors]
            told = "; ".join(f"`{error.field}`: {error.message}" for error in named)
            raise Problem(422, "bad-payload", f"The payload is not one of the type {job.type}. {told}.", errors=named)


async def _insert(resources: Resources, read: ReadJobs, by_whom: str) -> list[InsertJobsRow]:
    try:
        return await query(resources.pool, lambda connection: insert_jobs(connection, jobs=read.jobs, by_whom=by_whom))
    except RefusedError as error:
        raise _explain_refusal(read, error) from None


def _explain_refusal(read: ReadJobs, error: RefusedError) -> Problem:
    """Return the answer for what only the database could know."""
    match = _REFUSED_PLACE.fullmatch(str(error))
    place, message = (int(match[1]), match[2]) if match else (0, str(error))
    match error.code:
        case "HD409":
            field = read.field(place, "idempotency_key")
            detail = f"The field `{field}` is taken: {message}. {error.hint}"
            return Problem(409, "key-taken", detail, errors=[FieldError(field, message)])
        case "HD413":
            of_metadata = "metadata" in message
            field = read.field(place, "metadata" if of_metadata else "payload")
            return too_large(field, "64 KiB" if of_metadata else "1 MiB")
        case _:
            return Problem(422, "bad-job", f"{read.field(place, 'job')}: {message}. {error.hint}")


def _join(field: str, inner: str) -> str:
    return f"{field}{inner}" if inner.startswith("[") or not inner else f"{field}.{inner}"
