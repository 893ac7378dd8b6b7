"""Limits of concurrency keys: how many jobs of a key may run at once, and how many may begin in a stretch of time."""

from typing import Annotated, Final

import msgspec
from litestar import Response, delete, get, put
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody, PathParameter
from msgspec import Meta

from services.ingest.authenticate import FromActor, require_admin, require_viewer
from services.ingest.page_cursor import DEFAULT_LIMIT, Cursor, read_cursor, write_cursor
from services.ingest.page_cursor import Limit as PageLimit
from services.ingest.problem_details import bad_field, not_found, problem_responses
from services.ingest.queries.limits import find_limit, list_limits, reset_limit, set_limit
from services.ingest.queries.rows import Limit
from services.ingest.resources import FromResources
from shared.db import Connection, in_transaction, query
from shared.queries.audit import record_event

# A key may hold slashes.
KeyInPath = Annotated[str, PathParameter(description="The concurrency key.")]

_RESPONSES: Final = problem_responses(400, 401, 403, 404, 422, 503)
_MOST_KEY: Final = 255


class LimitOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a key is to be limited. Without the two fields of a rate, its jobs begin at any rate."""

    max_running: Annotated[int, Meta(ge=0, le=1_000_000)]
    rate_count: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    rate_seconds: Annotated[float, Meta(ge=0.001, le=31_622_400)] | None = None


class LimitPage(msgspec.Struct, frozen=True):
    """Keys by name. `running` and `waiting` are counted to 10,001, which means more than 10,000."""

    limits: list[Limit]
    next: str | None


@get("/limits", guards=[require_viewer], tags=["jobs"], responses=_RESPONSES)
async def show_limits(resources: FromResources, limit: PageLimit = DEFAULT_LIMIT, cursor: Cursor = None) -> LimitPage:
    """List the concurrency keys by name, with how many of their jobs run and wait now."""
    after = "" if cursor is None else read_cursor(cursor, str)
    found = await query(
        resources.pool, lambda connection: list_limits(connection, after_name=after, max_rows=limit + 1)
    )
    return LimitPage(found[:limit], write_cursor(found[limit - 1].concurrency_key) if len(found) > limit else None)


@get("/limits/{key:path}", guards=[require_viewer], tags=["jobs"], responses=_RESPONSES)
async def show_limit(key: KeyInPath, resources: FromResources) -> Limit:
    """Show a concurrency key."""
    name = _checked(key)
    found = await query(resources.pool, lambda connection: find_limit(connection, name=name))
    if found is None:
        raise not_found("such concurrency key")
    return found


@put(
    "/limits/{key:path}",
    guards=[require_admin],
    tags=["jobs"],
    responses={**_RESPONSES, 201: ResponseSpec(Limit, description="The key is new.", generate_examples=False)},
)
async def put_limit(
    key: KeyInPath, data: JSONBody[LimitOrder], resources: FromResources, actor: FromActor
) -> Response[Limit]:
    """Limit a concurrency key. What runs already goes on; it counts."""
    name = _checked(key)
    if (data.rate_count is None) != (data.rate_seconds is None):
        missing = "rate_count" if data.rate_count is None else "rate_seconds"
        raise bad_field(missing, "a rate is `rate_count` jobs in `rate_seconds`: give both, or neither")

    async def enter(connection: Connection) -> tuple[Limit, bool]:
        entered = await set_limit(
            connection,
            name=name,
            max_running=data.max_running,
            rate_count=data.rate_count,
            rate_seconds=data.rate_seconds,
        )
        await _record(connection, "limit.set", actor.name, {"key": name, **msgspec.structs.asdict(data)})
        found = await find_limit(connection, name=name)
        if found is None:
            raise not_found("such concurrency key")
        return found, entered.is_new

    limit, is_new = await in_transaction(resources.pool, enter)
    return Response(limit, status_code=201 if is_new else 200)


@delete("/limits/{key:path}", guards=[require_admin], tags=["jobs"], responses=_RESPONSES)
async def delete_limit(key: KeyInPath, resources: FromResources, actor: FromActor) -> None:
    """Forget what was set: the key's jobs run one at a time again, at any rate, as those of a key never set."""
    name = _checked(key)

    async def forget(connection: Connection) -> bool:
        known = await reset_limit(connection, name=name) > 0
        if known:
            await _record(connection, "limit.reset", actor.name, {"key": name})
        return known

    if not await in_transaction(resources.pool, forget):
        raise not_found("such concurrency key")


async def _record(connection: Connection, name: str, actor: str, detail: dict[str, object]) -> None:
    await record_event(connection, name=name, actor=actor, pipeline_id=None, run_id=None, job_id=None, detail=detail)


def _checked(key: str) -> str:
    name = key.removeprefix("/")
    if not name or len(name) > _MOST_KEY or "\0" in name:
        raise bad_field("key", f"it has 1 to {_MOST_KEY} characters, and no NUL")
    return name
