"""Channels: where notifications go. Their addresses and secrets are sealed, and shown to nobody."""

import base64
import secrets
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

import msgspec
from litestar import Response, delete, get, post
from litestar.params import JSONBody, PathParameter
from msgspec import Meta

from services.ingest.authenticate import FromActor, require_admin, require_viewer
from services.ingest.check_pipeline import Name
from services.ingest.manage_pipelines import find_pipeline
from services.ingest.page_cursor import DEFAULT_LIMIT, Cursor, Limit, read_cursor, write_cursor
from services.ingest.problem_details import Problem, bad_field, not_found, problem_responses
from services.ingest.queries.channels import create_channel, list_channels
from services.ingest.queries.channels import delete_channel as erase_channel
from services.ingest.queries.rows import Channel
from services.ingest.resources import FromResources
from shared.db import Connection, in_transaction, query
from shared.ids import ChannelId, new_id
from shared.queries.audit import record_event
from shared.queries.models import ChannelKind
from shared.sealed_values import channel_secret_of, channel_url_of

EventName = Literal["run.succeeded", "run.failed", "run.canceled", "run.skipped", "job.failed"]

_RESPONSES: Final = problem_responses(400, 401, 403, 404, 409, 422, 503)
_SECRET_BYTES: Final = 32


class NewChannel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A channel to enter. Without a pipeline, it hears of all."""

    name: Name
    kind: ChannelKind
    url: Annotated[str, Meta(max_length=2000, pattern=r"^[\x21-\x7e]+$(?!\n)")]
    events: Annotated[list[EventName], Meta(min_length=1, max_length=20)]
    pipeline: str | None = None


class EnteredChannel(Channel, frozen=True, kw_only=True):
    """A new channel; for a webhook, with the secret that its messages are signed with, shown this once."""

    secret: str | None


class ChannelPage(msgspec.Struct, frozen=True):
    """Channels by name."""

    channels: list[Channel]
    next: str | None


@post("/channels", guards=[require_admin], tags=["channels"], responses=_RESPONSES)
async def enter_channel(
    data: JSONBody[NewChannel], resources: FromResources, actor: FromActor
) -> Response[EnteredChannel]:
    """Enter a channel. The answer to one of kind webhook shows its signing secret, this once."""
    _check_url(data.url)
    pipeline_id = None if data.pipeline is None else (await find_pipeline(resources, data.pipeline)).pipeline_id
    channel_id = ChannelId(new_id())
    secret = _make_secret() if data.kind == ChannelKind.WEBHOOK else None
    sealer = resources.sealer
    sealed_secret = sealer.seal(secret.encode(), purpose=channel_secret_of(channel_id)) if secret else None

    async def enter(connection: Connection) -> Channel | None:
        entered = await create_channel(
            connection,
            channel_id=channel_id,
            name=data.name,
            kind=data.kind,
            pipeline_id=pipeline_id,
            events=[str(event) for event in dict.fromkeys(data.events)],
            sealed_url=sealer.seal(data.url.encode(), purpose=channel_url_of(channel_id)),
            sealed_secret=sealed_secret,
            key_id=sealer.key_id,
        )
        if entered is not None:
            await record_event(
                connection,
                name="channel.created",
                actor=actor.name,
                pipeline_id=pipeline_id,
                run_id=None,
                job_id=None,
                detail={"name": data.name, "kind": data.kind, "events": data.events},
            )
        return entered

    channel = await in_transaction(resources.pool, enter)
    if channel is None:
        raise Problem(409, "name-taken", f"There is a channel called {data.name} already.")
    return Response(EnteredChannel(**msgspec.structs.asdict(channel), secret=secret), status_code=201)


@get("/channels", guards=[require_viewer], tags=["channels"], responses=_RESPONSES)
async def show_channels(resources: FromResources, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> ChannelPage:
    """List channels by name."""
    after = "" if cursor is None else read_cursor(cursor, str)
    found = await query(
        resources.pool, lambda connection: list_channels(connection, after_name=after, max_rows=limit + 1)
    )
    return ChannelPage(found[:limit], write_cursor(found[limit - 1].name) if len(found) > limit else None)


@delete("/channels/{channel:str}", guards=[require_admin], tags=["channels"], responses=_RESPONSES)
async def delete_channel(
    channel: Annotated[str, PathParameter(description="The channel's name.")],
    resources: FromResources,
    actor: FromActor,
) -> None:
    """Delete a channel with its messages, sent or not."""

    async def erase(connection: Connection) -> bool:
        erased = await erase_channel(connection, name=channel) > 0
        if erased:
            await record_event(
                connection,
                name="channel.deleted",
                actor=actor.name,
                pipeline_id=None,
                run_id=None,
                job_id=None,
                detail={"name": channel},
            )
        return erased

    if "\0" in channel or not await in_transaction(resources.pool, erase):
        raise not_found("channel of that name")


def _make_secret() -> str:
    """Return a signing secret as Standard Webhooks writes them."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise bad_field("url", "it is not an http or https address")
    if "@" in parts.netloc:
        raise bad_field("url", "it holds a user name: an address carries no credentials")
