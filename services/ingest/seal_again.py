"""Replace what is secret of a pipeline: what is given anew, and the rest under the same key."""

from msgspec import UnsetType

from services.ingest.check_pipeline import PipelineChanges
from services.ingest.problem_details import not_found
from services.ingest.queries.pipelines import seal_pipeline_secrets
from services.ingest.queries.receive_webhook import read_webhook_target
from services.ingest.seal_secrets import seal_credential
from shared.db import Connection
from shared.sealed_values import git_credential_of, webhook_secret_of
from shared.sealing import Sealer


async def seal_again(connection: Connection, sealer: Sealer, name: str, changes: PipelineChanges) -> None:
    """Replace the secrets that are given, and seal the others again: both are under one key."""
    kept = await read_webhook_target(connection, name=name)
    if kept is None:
        raise not_found("pipeline of that name")
    pipeline_id = kept.pipeline_id
    purpose = webhook_secret_of(pipeline_id)
    secret = (
        sealer.open(kept.sealed_webhook_secret, key_id=kept.key_id, purpose=purpose)
        if isinstance(changes.webhook_secret, UnsetType)
        else changes.webhook_secret.encode()
    )
    if not isinstance(changes.git_credential, UnsetType):
        credential = seal_credential(sealer, changes.git_credential, pipeline_id)
    elif kept.sealed_git_credential is None:
        credential = None
    else:
        purpose_of_git = git_credential_of(pipeline_id)
        opened = sealer.open(kept.sealed_git_credential, key_id=kept.key_id, purpose=purpose_of_git)
        credential = sealer.seal(opened, purpose=purpose_of_git)
    await seal_pipeline_secrets(
        connection,
        pipeline_id=pipeline_id,
        sealed_webhook_secret=sealer.seal(secret, purpose=purpose),
        sealed_git_credential=credential,
        key_id=sealer.key_id,
    )
