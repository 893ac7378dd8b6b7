"""What a push says, whoever sent it, and what of it is built."""

import re
from typing import Final

import msgspec

from services.ingest.clean_text import first_line

ZERO_COMMITS: Final = ("0" * 40, "0" * 64)

_BRANCH_PREFIX: Final = "refs/heads/"
_TAG_PREFIX: Final = "refs/tags/"
_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
# What git-check-ref-format(1) forbids.
_BAD_IN_REF: Final = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(?:/|$)|[./]$|^[/.-]")
_REF_LENGTH: Final = 500


class Push(msgspec.Struct, frozen=True):
    """A push to a branch: what a run is made from."""

    ref: str
    branch: str
    commit_sha: str
    # None: the branch is new.
    before_sha: str | None
    title: str
    author: str


class Ignored(msgspec.Struct, frozen=True):
    """A call that was heard, and that starts no run."""

    reason: str


class PushField(msgspec.Struct, frozen=True):
    """A field of a push that holds what it may not."""

    field: str
    message: str


def describe_push(*, ref: str, before: str, after: str, title: str, author: str) -> Push | Ignored | PushField:
    """Return the push to a branch, or why it is ignored, or which field is wrong."""
    if fault := ref_fault(ref):
        return PushField("ref", fault)
    for field, commit in (("before", before), ("after", after)):
        if not _COMMIT.fullmatch(commit):
            return PushField(field, "it is not a full commit id in lower-case hexadecimal")
    if ref.startswith(_TAG_PREFIX):
        return Ignored("tags are not built")
    if not ref.startswith(_BRANCH_PREFIX):
        return Ignored(f"{ref} is not a branch")
    if after in ZERO_COMMITS:
        return Ignored("the branch was deleted")
    return Push(
        ref=ref,
        branch=ref.removeprefix(_BRANCH_PREFIX),
        commit_sha=after,
        before_sha=None if before in ZERO_COMMITS else before,
        title=first_line(title),
        author=first_line(author),
    )


def ref_fault(ref: str) -> str | None:
    """Say why `ref` cannot be the full name of a ref; None if it can."""
    if not ref.startswith("refs/") or ref in (_BRANCH_PREFIX, _TAG_PREFIX):
        return "it is not a full ref such as refs/heads/main"
    if len(ref) > _REF_LENGTH or _BAD_IN_REF.search(ref):
        return "git does not allow such a name"
    return None


def commit_fault(commit: str) -> str | None:
    """Say why `commit` cannot be built; None if it can."""
    if not _COMMIT.fullmatch(commit) or commit in ZERO_COMMITS:
        return "it is not a full commit id in lower-case hexadecimal"
    return None
