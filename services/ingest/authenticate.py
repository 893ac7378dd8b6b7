"""Who is asking, and whether they may: bearer tokens for programs, a session cookie for pages.

Every route has one of the guards below, or is public on purpose; a test walks the route table. A cookie is good for
reading only: what changes something by cookie is a form of a page, and carries its session's `csrf`.
"""

import hmac
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import msgspec
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency, Provide
from litestar.exceptions import NotAuthorizedException
from litestar.handlers import BaseRouteHandler
from litestar.params import SkipValidation

from services.ingest.problem_details import Problem
from services.ingest.resources import resources_of
from services.ingest.seal_session import COOKIE_NAME, Session, open_session
from shared.ids import TokenId
from shared.queries.models import TokenRole

Connection = ASGIConnection[Any, Any, Any, Any]

_RANK: Final = {TokenRole.VIEWER: 0, TokenRole.DEVELOPER: 1, TokenRole.ADMIN: 2}
_SAFE_METHODS: Final = ("GET", "HEAD")


class Actor(msgspec.Struct, frozen=True):
    """Who makes a request. `name` is what the audit says: `token:<name of the token>`."""

    token_id: TokenId
    name: str
    role: TokenRole
    # Of the page session; empty when a bearer token was shown.
    csrf: str

    def may(self, role: str) -> bool:
        """Whether the actor has this role, or a greater one."""
        return _RANK[self.role] >= _RANK[TokenRole(role)]


if TYPE_CHECKING:
    FromActor: TypeAlias = Actor
else:
    FromActor = NamedDependency[SkipValidation[Actor]]


class SignInNeeded(NotAuthorizedException):
    """Nobody is signed in on this browser: not an error, the page sends its reader to sign in."""


def provide_actor() -> Provide:
    """Return the dependency `actor` of the handlers; only those with a guard may ask for it."""
    return Provide(_actor_of, sync_to_thread=False)


def _actor_of(request: Request[Any, Any, Any]) -> Actor:
    return cast("Actor", request.scope["auth"])


async def require_viewer(connection: Connection, _: BaseRouteHandler) -> None:
    """Guard: any token that holds."""
    await _require(connection, TokenRole.VIEWER)


async def require_developer(connection: Connection, _: BaseRouteHandler) -> None:
    """Guard: may start, cancel and rerun."""
    await _require(connection, TokenRole.DEVELOPER)


async def require_admin(connection: Connection, _: BaseRouteHandler) -> None:
    """Guard: may change pipelines, channels and tokens."""
    await _require(connection, TokenRole.ADMIN)


async def require_page_viewer(connection: Connection, _: BaseRouteHandler) -> None:
    """Guard of pages: somebody is signed in."""
    await _require_on_page(connection, TokenRole.VIEWER)


async def require_page_developer(connection: Connection, _: BaseRouteHandler) -> None:
    """Guard of the pages' forms: somebody is signed in who may start, cancel and rerun."""
    await _require_on_page(connection, TokenRole.DEVELOPER)


async def _require(connection: Connection, role: TokenRole) -> None:
    actor = await find_actor(connection)
    if actor is None:
        raise Problem(
            401,
            "sign-in",
            "Send an API token that holds: `Authorization: Bearer hwd_…`.",
            headers={"WWW-Authenticate": 'Bearer realm="howdah"'},
        )
    if actor.csrf and connection.scope.get("method") not in _SAFE_METHODS:
        raise Problem(403, "cookie-reads-only", "A session cookie is good for reading only: send a bearer token.")
    _admit(connection, actor, role)


async def _require_on_page(connection: Connection, role: TokenRole) -> None:
    actor = await _actor_by_cookie(connection)
    if actor is None:
        raise SignInNeeded
    _admit(connection, actor, role)


def _admit(connection: Connection, actor: Actor, role: TokenRole) -> None:
    if not actor.may(role):
        raise Problem(403, "role", f"This needs the role {role}; the token has the role {actor.role}.")
    connection.scope["auth"] = actor


async def find_actor(connection: Connection) -> Actor | None:
    """Return who is asking, by bearer token or by cookie; None for strangers. Raises `DatabaseUnavailableError`."""
    header = connection.headers.get("authorization")
    if header is None:
        return await _actor_by_cookie(connection)
    scheme, _, text = header.partition(" ")
    if scheme.lower() != "bearer":
        return None
    token = await resources_of(connection).tokens.check(text.strip())
    return None if token is None else Actor(TokenId(token.token_id), f"token:{token.name}", token.role, "")


async def _actor_by_cookie(connection: Connection) -> Actor | None:
    cookie = connection.cookies.get(COOKIE_NAME)
    if cookie is None:
        return None
    resources = resources_of(connection)
    session = open_session(resources.sealer, cookie)
    if session is None:
        return None
    token = await resources.tokens.find(session.token_id)
    return None if token is None else _signed_in(session, f"token:{token.name}", token.role)


def _signed_in(session: Session, name: str, role: TokenRole) -> Actor:
    return Actor(session.token_id, name, role, session.csrf)


def check_csrf(actor: Actor, given: str) -> None:
    """Refuse a form that does not come from a page of the actor's own session."""
    if not hmac.compare_digest(actor.csrf.encode(), given.encode()):
        raise Problem(403, "csrf", "The form has expired: go back, load the page again, and try once more.")
