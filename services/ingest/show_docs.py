"""`/docs`: the API reference as a page, from files of the package `swagger-ui-py`: it needs no internet."""

import importlib.util
from pathlib import Path
from typing import Annotated, Final

from litestar import get
from litestar.params import PathParameter
from litestar.response import File, Template

from services.ingest.problem_details import not_found
from services.ingest.render_page import page

# All that the page asks for, with its type; the package's folder holds much more.
_FILES: Final = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}


def _find_folder() -> Path:
    """Return where the package keeps its files, without importing it: it would bring a framework's worth of code."""
    spec = importlib.util.find_spec("swagger_ui")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("the package swagger-ui-py is not installed: run `make setup`")
    return Path(spec.origin).parent / "static"


_FOLDER: Final = _find_folder()


@get("/docs", include_in_schema=False)
async def show_docs() -> Template:
    """Show the API reference."""
    return page("docs.html", None)


@get("/docs/{name:str}", include_in_schema=False)
async def show_docs_file(name: Annotated[str, PathParameter()]) -> File:
    """Send a file of the reference's viewer."""
    if name not in _FILES:
        raise not_found("file of that name")
    return File(
        _FOLDER / name,
        media_type=_FILES[name],
        content_disposition_type="inline",
        headers={"Cache-Control": "public, max-age=86400"},
    )
