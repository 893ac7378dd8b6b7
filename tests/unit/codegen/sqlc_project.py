"""Running real sqlc with the plugin on a small project of a test's own."""

import shutil
from pathlib import Path
from typing import Any, Final

import msgspec

from sql.codegen.generate_packages import run_sqlc

HERE: Final = Path(__file__).parent
OPTIONS: Final = {"package": "library", "json_types": {"book.details": "tests.unit.codegen.payloads:Details"}}


def generate_project(folder: Path, queries: dict[str, str], options: dict[str, Any] | None = None) -> Path:
    """Generate code for `queries` (file name → SQL) over schema.sql; return the folder of the package.

    Raises `GenerationError`.
    """
    shutil.copy(HERE / "schema.sql", folder)
    (folder / "queries").mkdir()
    for name, text in queries.items():
        (folder / "queries" / name).write_text(text)
    configuration = {
        "version": "2",
        "plugins": [{"name": "howdah", "env": ["PATH"], "process": {"cmd": "sqlc-gen-howdah", "format": "json"}}],
        "sql": [
            {
                "engine": "postgresql",
                "schema": "schema.sql",
                "queries": "queries",
                "codegen": [{"plugin": "howdah", "out": "library", "options": OPTIONS | (options or {})}],
            }
        ],
    }
    # JSON is YAML.
    (folder / "sqlc.yaml").write_bytes(msgspec.json.encode(configuration))
    run_sqlc(folder / "sqlc.yaml", "generate")
    return folder / "library"
