"""API tokens: issue, list, revoke. A token is shown once, when it is issued."""

from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec
from litestar import delete, get, post
from litestar.params import JSONBody, PathParameter

from services.ingest.authenticate import FromActor, require_admin
from services.ingest.check_token import make_token
from services.ingest.clean_text import Line
from services.ingest.enter_token import enter_token
from services.ingest.problem_details import bad_field, not_found, problem_responses
from services.ingest.queries.tokens import ListTokensRow, list_tokens, revoke_token
from services.ingest.resources import FromResources
from shared.db import Connection, in_transaction, query
from shared.ids import TokenId
from shared.queries.audit import record_event
from shared.queries.models import TokenRole

_RESPONSES: Final = problem_responses(400, 401, 403, 404, 422, 503)
_MOST_SHOWN: Final = 1000


class TokenOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A token to issue: for whom or what, and what it may do."""

    name: Line
    role: TokenRole
    expires_at: datetime | None = None


class IssuedToken(msgspec.Struct, frozen=True):
    """A new token; `token` is shown this once."""

    token_id: TokenId
    name: str
    role: TokenRole
    expires_at: datetime | None
    token: str


class TokenList(msgspec.Struct, frozen=True):
    """All tokens, newest first, the revoked ones too."""

    tokens: list[ListTokensRow]


@post("/tokens", guards=[require_admin], tags=["tokens"], responses=_RESPONSES)
async def issue_new_token(data: JSONBody[TokenOrder], resources: FromResources, actor: FromActor) -> IssuedToken:
    """Issue an API token. The answer shows it, this once."""
    if data.expires_at is not None and data.expires_at.tzinfo is None:
        raise bad_field("expires_at", "it has no time zone: end it with Z, or +00:00")
    if data.expires_at is not None and data.expires_at <= datetime.now(UTC):
        raise bad_field("expires_at", "it lies in the past")
    token = make_token()

    async def enter(connection: Connection) -> None:
        await enter_token(
            connection, token, name=data.name, role=data.role, issued_by=actor.name, expires_at=data.expires_at
        )

    await in_transaction(resources.pool, enter)
    return IssuedToken(token.token_id, data.name, data.role, data.expires_at, token.text)


@get("/tokens", guards=[require_admin], tags=["tokens"], responses=_RESPONSES)
async def show_tokens(resources: FromResources) -> TokenList:
    """List the tokens; what they open is shown, they themselves are not."""
    return TokenList(await query(resources.pool, lambda connection: list_tokens(connection, max_rows=_MOST_SHOWN)))


@delete("/tokens/{token:str}", guards=[require_admin], tags=["tokens"], responses=_RESPONSES)
async def revoke_issued_token(
    token: Annotated[TokenId, PathParameter(description="The token's id.")],
    resources: FromResources,
    actor: FromActor,
) -> None:
    """Revoke a token, and with it the sessions that were begun with it; other replicas learn of it within 5 s."""

    async def revoke(connection: Connection) -> bool:
        revoked = await revoke_token(connection, token_id=token) > 0
        if revoked:
            await record_event(
                connection,
                name="token.revoked",
                actor=actor.name,
                pipeline_id=None,
                run_id=None,
                job_id=None,
                detail={"token_id": token},
            )
        return revoked

    revoked = await in_transaction(resources.pool, revoke)
    resources.tokens.forget(token)
    if not revoked:
        raise not_found("token of that id that still holds")
