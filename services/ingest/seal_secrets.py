"""What ingest seals, and for what purpose: the services that open it name the same purpose."""

import msgspec

from shared.ids import ChannelId, PipelineId
from shared.sealing import Sealer


class GitCredential(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What git shows to a repository's host."""

    username: str
    password: str


def webhook_secret_purpose(pipeline_id: PipelineId) -> str:
    """Return the purpose of a pipeline's webhook secret."""
    return f"pipeline webhook_secret {pipeline_id}"


def git_credential_purpose(pipeline_id: PipelineId) -> str:
    """Return the purpose of a pipeline's git credential."""
    return f"pipeline git_credential {pipeline_id}"


def channel_url_purpose(channel_id: ChannelId) -> str:
    """Return the purpose of a channel's URL."""
    return f"channel url {channel_id}"


def channel_secret_purpose(channel_id: ChannelId) -> str:
    """Return the purpose of a channel's signing secret."""
    return f"channel secret {channel_id}"


def seal_credential(sealer: Sealer, credential: GitCredential | None, pipeline_id: PipelineId) -> bytes | None:
    """Return a git credential as it is stored: sealed JSON."""
    if credential is None:
        return None
    return sealer.seal(msgspec.json.encode(credential), purpose=git_credential_purpose(pipeline_id))
