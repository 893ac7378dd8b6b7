"""Enter an API token into the database, and into the audit."""

from datetime import datetime

from services.ingest.check_token import NewToken
from services.ingest.queries.tokens import create_token
from shared.db import Connection
from shared.queries.audit import record_event
from shared.queries.models import TokenRole


async def enter_token(
    connection: Connection, token: NewToken, *, name: str, role: TokenRole, issued_by: str, expires_at: datetime | None
) -> None:
    """Enter a token and record that; in the transaction of the caller."""
    await create_token(
        connection,
        token_id=token.token_id,
        name=name,
        role=role,
        secret_hash=token.secret_hash,
        created_by=issued_by,
        expires_at=expires_at,
    )
    detail = {"token_id": token.token_id, "name": name, "role": role}
    await record_event(
        connection, name="token.issued", actor=issued_by, pipeline_id=None, run_id=None, job_id=None, detail=detail
    )
