"""`/openapi.json`: the API as OpenAPI 3.1; what jobs can be enqueued is told as executors have published it."""

from typing import Any, Final

import msgspec
from litestar import Request, Router
from litestar.openapi.plugins import JsonRenderPlugin

from services.ingest.describe_jobs import describe_jobs
from services.ingest.resources import resources_of
from shared.errors import DatabaseUnavailableError

PATH: Final = "/openapi.json"

_encode: Final = msgspec.json.Encoder(enc_hook=str).encode


class PublishedJobsPlugin(JsonRenderPlugin):
    """Adds the types of job to the document, which is made anew when they have changed."""

    def __init__(self) -> None:
        super().__init__(path="/")
        self._rendered: tuple[int, bytes] | None = None

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """Return the document."""
        catalog = resources_of(request).job_catalog
        if self._rendered is None or self._rendered[0] != catalog.version:
            described = describe_jobs(openapi_schema, catalog.remembered())
            self._rendered = (catalog.version, _encode(described))
        return self._rendered[1]


def openapi_router() -> Router:
    """Return the router that the document is served by."""
    return Router(PATH, route_handlers=[], include_in_schema=False, before_request=_look_for_types)


async def _look_for_types(request: Request[Any, Any, Any]) -> None:
    """Read what has been published. The document is there without the database, too, with what was known before."""
    try:
        await resources_of(request).job_catalog.types()
    except DatabaseUnavailableError:
        return
