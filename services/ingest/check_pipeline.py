"""What a pipeline may be made of: the bodies of the calls that enter or change one, and what types cannot say.

Patterns are read by Python here and by ECMAScript in clients of the OpenAPI document: `$(?!\\n)` is the end in both.
"""

import re
from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from services.ingest.config import IngestConfig
from services.ingest.describe_push import ref_fault
from services.ingest.normalize_repository import BadRepositoryError, normalize_repository
from services.ingest.problem_details import bad_field
from services.ingest.seal_secrets import GitCredential
from shared.queries.models import LogRetention
from shared.sign_webhook import signing_key

Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$(?!\n)")]
Secret = Annotated[str, Meta(min_length=16, max_length=256, pattern=r"^[\x21-\x7e]+$(?!\n)")]
BranchName = Annotated[str, Meta(min_length=1, max_length=200)]
FilePath = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")]
VariableName = Annotated[str, Meta(max_length=200, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$(?!\n)")]
VariableValue = Annotated[str, Meta(max_length=32_768, pattern=r"^[^\x00]*$(?!\n)")]
Variables = Annotated[dict[VariableName, VariableValue], Meta(max_length=200)]

_UPWARDS: Final = re.compile(r"(?:^|/)\.\.(?:/|$)")


class NewPipeline(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A pipeline to enter. Without a webhook secret, one is made."""

    name: Name
    repository_url: str
    default_branch: BranchName = "main"
    file_path: FilePath = ".howdah.yml"
    env: Variables = {}
    log_retention: LogRetention = LogRetention.STANDARD
    webhook_secret: Secret | None = None
    git_credential: GitCredential | None = None


class PipelineChanges(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to change; what is left out stays. A `git_credential` of null takes it away."""

    repository_url: str | UnsetType = UNSET
    default_branch: BranchName | UnsetType = UNSET
    file_path: FilePath | UnsetType = UNSET
    env: Variables | UnsetType = UNSET
    log_retention: LogRetention | UnsetType = UNSET
    webhook_secret: Secret | UnsetType = UNSET
    git_credential: GitCredential | UnsetType | None = UNSET


def repository_key(config: IngestConfig, url: str) -> str:
    """Return the key of a repository that may be built here. Raises `Problem`."""
    try:
        return normalize_repository(url, allow_local=config.allow_local_repositories)
    except BadRepositoryError as error:
        raise bad_field("repository_url", str(error)) from None


def check_paths(branch: str | None, file_path: str | None) -> None:
    """Refuse a branch that git does not allow, and a path that leads out of the repository. Raises `Problem`."""
    if branch is not None and (fault := ref_fault(f"refs/heads/{branch}")):
        raise bad_field("default_branch", fault)
    if file_path is not None and (file_path.startswith(("/", "-")) or _UPWARDS.search(file_path)):
        raise bad_field("file_path", "it must be a path within the repository")


def checked_secret(secret: str) -> str:
    """Return a webhook secret that is long enough to sign with. Raises `Problem`."""
    try:
        key = signing_key(secret)
    except ValueError as error:
        raise bad_field("webhook_secret", str(error)) from None
    if len(key) < 16:
        raise bad_field("webhook_secret", "it holds fewer than 16 bytes")
    return secret
