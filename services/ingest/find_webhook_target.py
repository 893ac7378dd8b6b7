"""What a webhook's call is checked against: remembered for a moment, since every push asks for it."""

import re
from typing import Final

import msgspec

from services.ingest.queries.receive_webhook import read_webhook_target
from services.ingest.recent_values import RecentValues
from shared.db import Pool, query
from shared.ids import PipelineId
from shared.sealed_values import webhook_secret_of
from shared.sealing import Sealer

# For this long after a change, a replica may still know the secret from before.
REMEMBERED_SECONDS: Final = 2.0

PIPELINE_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


class WebhookTarget(msgspec.Struct, frozen=True):
    """The pipeline that a webhook is for, and the secret that its calls are signed with."""

    pipeline_id: PipelineId
    repository_key: str
    secret: str


class WebhookTargets:
    """Finds pipelines by the name in a webhook's address."""

    def __init__(self, pool: Pool, sealer: Sealer) -> None:
        self._pool = pool
        self._sealer = sealer
        self._recent: RecentValues[str, WebhookTarget | None] = RecentValues(seconds=REMEMBERED_SECONDS, max_size=1024)

    async def find(self, name: str) -> WebhookTarget | None:
        """Return the pipeline, or None. Raises `DatabaseUnavailableError`."""
        if not PIPELINE_NAME.fullmatch(name):
            return None
        return await self._recent.get(name, self._read)

    def forget(self, name: str) -> None:
        """Look the pipeline up afresh next time: it was changed here."""
        self._recent.forget(name)

    async def _read(self, name: str) -> WebhookTarget | None:
        row = await query(self._pool, lambda connection: read_webhook_target(connection, name=name))
        if row is None:
            return None
        secret = self._sealer.open(
            row.sealed_webhook_secret, key_id=row.key_id, purpose=webhook_secret_of(row.pipeline_id)
        )
        return WebhookTarget(row.pipeline_id, row.repository_key, secret.decode())
