"""What is sealed in the database, for what: the names that bind a sealed value to its row and column."""

import msgspec

from shared.ids import ChannelId, PipelineId


class StoredGitCredential(msgspec.Struct, frozen=True):
    """What `pipeline.sealed_git_credential` holds, as JSON."""

    username: str
    password: str


def webhook_secret_of(pipeline_id: PipelineId) -> str:
    """Return the purpose of `pipeline.sealed_webhook_secret`."""
    return f"webhook secret of pipeline {pipeline_id}"


def git_credential_of(pipeline_id: PipelineId) -> str:
    """Return the purpose of `pipeline.sealed_git_credential`."""
    return f"git credential of pipeline {pipeline_id}"


def channel_url_of(channel_id: ChannelId) -> str:
    """Return the purpose of `channel.sealed_url`."""
    return f"URL of channel {channel_id}"


def channel_secret_of(channel_id: ChannelId) -> str:
    """Return the purpose of `channel.sealed_secret`."""
    return f"secret of channel {channel_id}"
