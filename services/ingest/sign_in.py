"""Signing in to the pages with an API token, and signing out."""

from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.params import QueryParameter, URLEncodedBody
from litestar.response import Redirect, Template

from services.ingest.authenticate import FromActor, SignInNeeded, check_csrf, require_page_viewer
from services.ingest.problem_details import Problem
from services.ingest.render_page import page
from services.ingest.resources import FromResources, Resources
from services.ingest.seal_session import COOKIE_NAME, SESSION_SECONDS, begin_session, seal_session
from shared.ids import TokenId

_HOME: Final = "/runs"
_OWN_SITE: Final = ("same-origin", "none")

NextPage = Annotated[str, QueryParameter(name="next", max_length=500)]


class SignInForm(msgspec.Struct, frozen=True):
    """What the sign-in page sends."""

    token: Annotated[str, msgspec.Meta(max_length=200)]
    next: Annotated[str, msgspec.Meta(max_length=500)] = _HOME


class CsrfForm(msgspec.Struct, frozen=True):
    """A form that consists of a button."""

    csrf: Annotated[str, msgspec.Meta(max_length=100)] = ""


@get("/", include_in_schema=False)
async def show_home() -> Redirect:
    """Lead to the runs."""
    return Redirect(_HOME, status_code=302)


@get("/login", include_in_schema=False)
async def show_sign_in(next_page: NextPage = _HOME) -> Template:
    """Show the form that asks for a token."""
    return page("sign_in.html", None, next=_local(next_page), wrong=False)


@post("/login", include_in_schema=False, status_code=303)
async def sign_in(
    request: Request[Any, Any, Any], data: URLEncodedBody[SignInForm], resources: FromResources
) -> Response[Any]:
    """Begin a session for the owner of a token that holds."""
    if request.headers.get("sec-fetch-site", "same-origin") not in _OWN_SITE:
        raise Problem(403, "cross-site", "Sign in on Howdah's own page.")
    token = await resources.tokens.check(data.token.strip())
    if token is None:
        refused = page("sign_in.html", None, next=_local(data.next), wrong=True)
        refused.status_code = 401
        return refused
    session = begin_session(TokenId(token.token_id))
    cookie = _cookie(resources, seal_session(resources.sealer, session), SESSION_SECONDS)
    return Redirect(_local(data.next), status_code=303, cookies=[cookie])


@post("/logout", guards=[require_page_viewer], include_in_schema=False, status_code=303)
async def sign_out(data: URLEncodedBody[CsrfForm], resources: FromResources, actor: FromActor) -> Redirect:
    """End the session on this browser."""
    check_csrf(actor, data.csrf)
    return Redirect("/login", status_code=303, cookies=[_cookie(resources, "", 0)])


def lead_to_sign_in(request: Request[Any, Any, Any], _: SignInNeeded) -> Redirect:
    """Answer a stranger who asks for a page."""
    wanted = request.url.path if request.method == "GET" else _HOME
    return Redirect("/login", status_code=303, query_params={"next": wanted})


def _local(path: str) -> str:
    """Return a path of this site; another site's address is not followed."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else _HOME


def _cookie(resources: Resources, value: str, max_age_seconds: int) -> Cookie:
    return Cookie(
        COOKIE_NAME,
        value=value,
        path="/",
        max_age=max_age_seconds,
        httponly=True,
        samesite="lax",
        secure=resources.config.is_https(),
    )
