"""Write the packages of typed queries from sql/, or compare them with it."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import yaml

ROOT: Final = Path(__file__).resolve().parents[2]


class GenerationError(RuntimeError):
    """sqlc refused; the message is its own, and names file and query."""


def run_sqlc(configuration: Path, *arguments: str) -> None:
    """Run sqlc on a configuration file, with our plugin on its PATH. Raises `GenerationError`."""
    # The plugin is a script for `python3`: the one with our dependencies must be the first.
    folders = [str(ROOT / "sql" / "codegen"), str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    path = os.pathsep.join(folders)
    sqlc = shutil.which("sqlc", path=path)
    if sqlc is None:
        raise GenerationError("sqlc is not installed: run `make setup`")
    done = subprocess.run(
        [sqlc, *arguments, "--file", configuration.name],
        cwd=configuration.parent,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise GenerationError(f"{done.stdout}{done.stderr}".strip())


def list_outputs(configuration: Path) -> list[Path]:
    """Return the output folders that a configuration file names, relative to its folder's parent."""
    folder = configuration.parent
    entries = yaml.safe_load(configuration.read_text())["sql"]
    written = [folder / generator["out"] for entry in entries for generator in entry["codegen"]]
    return [Path(os.path.normpath(output)).relative_to(folder.parent) for output in written]


def generate(root: Path, target: Path) -> list[Path]:
    """Generate from a copy of `root`/sql into `target`; return the output folders, relative to it.

    So a refusal leaves the tree as it was, and what is left over from earlier cannot hide.
    """
    copy = target / "sql"
    copy.mkdir()
    shutil.copy(root / "sql" / "sqlc.yaml", copy)
    for folder in ("migrations", "queries"):
        shutil.copytree(root / "sql" / folder, copy / folder)
    run_sqlc(copy / "sqlc.yaml", "generate")
    return list_outputs(copy / "sqlc.yaml")


def list_files(folder: Path) -> dict[Path, bytes]:
    """Return the files under a folder and their contents, but for what Python has compiled."""
    found = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder): path.read_bytes() for path in found}


def find_drift(root: Path, fresh: Path, outputs: list[Path]) -> list[str]:
    """Compare the packages in the tree with fresh ones; return a line for each file that differs."""
    drift: list[str] = []
    for output in outputs:
        ours, theirs = list_files(root / output), list_files(fresh / output)
        for path in sorted(ours.keys() | theirs.keys()):
            if path not in ours:
                drift.append(f"{output / path}: missing")
            elif path not in theirs:
                drift.append(f"{output / path}: left over, nothing generates it")
            elif ours[path] != theirs[path]:
                drift.append(f"{output / path}: not what sql/ says: edited, or sql/ has changed since")
    return drift


def replace_packages(root: Path, fresh: Path, outputs: list[Path]) -> None:
    """Put the fresh packages in the place of those in the tree."""
    for output in outputs:
        shutil.rmtree(root / output, ignore_errors=True)
        shutil.copytree(fresh / output, root / output)


def write_packages(root: Path = ROOT) -> None:
    """Generate all packages anew. Raises `GenerationError`."""
    with tempfile.TemporaryDirectory(prefix="howdah-queries-") as folder:
        fresh = Path(folder).resolve()
        replace_packages(root, fresh, generate(root, fresh))


def check_packages(root: Path = ROOT) -> list[str]:
    """Return what `find_drift` finds. Raises `GenerationError`."""
    with tempfile.TemporaryDirectory(prefix="howdah-queries-") as folder:
        fresh = Path(folder).resolve()
        return find_drift(root, fresh, generate(root, fresh))
