"""GitHub's `push` event: what of its body a run is made from. Pure.

Source: GitHub Docs, "Webhook events and payloads", `push`.
"""

import msgspec

from services.ingest.describe_push import Ignored, Push, PushField, describe_push
from services.ingest.normalize_repository import BadRepositoryError, normalize_repository
from services.ingest.problem_details import Problem, bad_field
from services.ingest.read_document import read_document


class _Person(msgspec.Struct, frozen=True):
    name: str | None = None
    username: str | None = None


class _Commit(msgspec.Struct, frozen=True):
    message: str
    author: _Person


class _Repository(msgspec.Struct, frozen=True):
    clone_url: str


class _GithubPush(msgspec.Struct, frozen=True):
    ref: str
    before: str
    after: str
    repository: _Repository
    # Null when the branch was deleted.
    head_commit: _Commit | None


def read_github_push(body: bytes, repository_key: str) -> Push | Ignored:
    """Return what was pushed, or why it is ignored.

    Raises `Problem`: 400 for what is not JSON, 422 for a field that is missing or wrong, or for another repository.
    """
    event = read_document(body, _GithubPush)
    _check_repository(event.repository.clone_url, repository_key)
    head = event.head_commit
    described = describe_push(
        ref=event.ref,
        before=event.before,
        after=event.after,
        title=head.message if head else "",
        author=(head.author.name or head.author.username or "") if head else "",
    )
    if isinstance(described, PushField):
        raise bad_field(described.field, described.message)
    if isinstance(described, Push) and head is None:
        raise bad_field("head_commit", "it is null, but the branch was not deleted")
    return described


def _check_repository(clone_url: str, expected_key: str) -> None:
    try:
        key = normalize_repository(clone_url, allow_local=True)
    except BadRepositoryError as error:
        raise bad_field("repository.clone_url", str(error)) from None
    if key != expected_key:
        raise Problem(422, "other-repository", f"This is a push to {key}, but the pipeline builds {expected_key}.")
