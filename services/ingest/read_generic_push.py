"""The generic push: a small JSON body that any hook can write. Pure. See docs/webhooks.md."""

import msgspec

from services.ingest.describe_push import Ignored, Push, PushField, describe_push
from services.ingest.problem_details import bad_field
from services.ingest.read_document import read_document


class _GenericPush(msgspec.Struct, frozen=True):
    ref: str
    before: str
    after: str
    title: str = ""
    author: str = ""


def read_generic_push(body: bytes) -> Push | Ignored:
    """Return what was pushed, or why it is ignored.

    Raises `Problem`: 400 for what is not JSON, 422 for a field that is missing or wrong.
    """
    event = read_document(body, _GenericPush)
    described = describe_push(
        ref=event.ref, before=event.before, after=event.after, title=event.title, author=event.author
    )
    if isinstance(described, PushField):
        raise bad_field(described.field, described.message)
    return described
