"""Files of the pages: styles, scripts, the icon.

The release is in their address, so that a browser keeps the files of one, and modules that import one another never mix
two. While replicas of two releases stand side by side, each answers with what it has.
"""

from pathlib import Path
from typing import Annotated, Final

from litestar import get
from litestar.params import PathParameter
from litestar.response import File

from services.ingest.problem_details import not_found

_FOLDER: Final = Path(__file__).parent / "static"
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FILES: Final = {file.name: _TYPES[file.suffix] for file in _FOLDER.iterdir()}


@get("/static/{release:str}/{name:str}", include_in_schema=False)
async def show_static_file(release: Annotated[str, PathParameter()], name: Annotated[str, PathParameter()]) -> File:
    """Send a file of the pages, whatever release is asked for."""
    del release
    if name not in _FILES:
        raise not_found("file of that name")
    return File(
        _FOLDER / name,
        media_type=_FILES[name],
        content_disposition_type="inline",
        headers={"Cache-Control": "public, max-age=60"},
    )
