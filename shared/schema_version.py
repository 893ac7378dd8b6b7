"""Whether the code and the schema fit each other."""

import logging
from typing import Final

import anyio

from shared.db import Pool, answers, query
from shared.errors import DatabaseUnavailableError, SchemaMismatchError
from shared.loop import backoff_seconds
from shared.queries.schema import read_schema_version
from shared.stop import Stop
from shared.version import CODE_VERSION

logger = logging.getLogger(__name__)

# The newest migration that this code relies on; a test holds it against sql/migrations.
REQUIRED_SCHEMA: Final = "20261126000101"

_ANSWER_SECONDS: Final = 1.0


async def check_schema(pool: Pool, stop: Stop) -> None:
    """Wait for the database, then compare versions.

    Raises `SchemaMismatchError` when the schema is older than this code needs, or does not allow this code any more.
    """
    failures = 0
    while not stop.requested:
        try:
            if not await answers(pool, seconds=_ANSWER_SECONDS):  # unlike a query, this ends soon
                raise DatabaseUnavailableError("it does not answer")
            found = await query(pool, read_schema_version)
        except DatabaseUnavailableError as error:
            failures += 1
            logger.warning("waiting for the database: %s", error)
            await anyio.sleep(backoff_seconds(failures))
            continue
        if found.version < REQUIRED_SCHEMA:
            raise SchemaMismatchError(
                f"the schema is at {found.version}, this code needs {REQUIRED_SCHEMA}: run `make migrate`"
            )
        if _version_key(found.min_code_version) > _version_key(CODE_VERSION):
            raise SchemaMismatchError(
                f"the schema needs code {found.min_code_version} or newer, this is {CODE_VERSION}: upgrade this service"
            )
        return


def _version_key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
