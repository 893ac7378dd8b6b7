"""Git credentials as they are given, and as they are stored."""

from typing import Annotated

import msgspec
from msgspec import Meta

from shared.ids import PipelineId
from shared.sealed_values import StoredGitCredential, git_credential_of
from shared.sealing import Sealer

# What git's credential protocol can carry: one line each.
_OneLine = Annotated[str, Meta(min_length=1, max_length=4096, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")]


class GitCredential(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What git shows to a repository's host."""

    username: _OneLine
    password: _OneLine


def seal_credential(sealer: Sealer, credential: GitCredential | None, pipeline_id: PipelineId) -> bytes | None:
    """Return a git credential as it is stored."""
    if credential is None:
        return None
    stored = StoredGitCredential(credential.username, credential.password)
    return sealer.seal(msgspec.json.encode(stored), purpose=git_credential_of(pipeline_id))
