"""A real git repository to push to, whose post-receive hook tells Howdah."""

import os
import shutil
import subprocess
from pathlib import Path

from deploy.embedded.stack import ROOT

_NAMES = {
    "GIT_AUTHOR_NAME": "Mahout",
    "GIT_AUTHOR_EMAIL": "mahout@example.org",
    "GIT_COMMITTER_NAME": "Mahout",
    "GIT_COMMITTER_EMAIL": "mahout@example.org",
}


class GitFailedError(RuntimeError):
    """A git command failed; the message is git's own."""


def git(*arguments: str | Path, cwd: Path) -> str:
    """Run git; returns all that it said. Raises `GitFailedError`."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", *arguments],
        cwd=cwd,
        env={**environment, **_NAMES, "GIT_CONFIG_GLOBAL": "/dev/null"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise GitFailedError(f"git {arguments[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def make_bare_repository(path: Path) -> None:
    """Make an empty bare repository with branch main."""
    path.parent.mkdir(parents=True, exist_ok=True)
    git("init", "--quiet", "--bare", "--initial-branch=main", path, cwd=path.parent)


def install_hook(bare: Path, *, webhook: str, secret: str) -> None:
    """Have the repository tell Howdah of every push."""
    git("config", "howdah.url", webhook, cwd=bare)
    git("config", "howdah.secret", secret, cwd=bare)
    shutil.copy(ROOT / "deploy" / "hooks" / "post-receive", bare / "hooks" / "post-receive")


def make_clone(path: Path, *, origin: Path, files: Path | dict[str, str], message: str) -> None:
    """Make a work tree with one commit of these files, ready to be pushed to `origin`."""
    if isinstance(files, Path):
        shutil.copytree(files, path)
    else:
        for name, text in files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_text(text)
    git("init", "--quiet", "--initial-branch=main", cwd=path)
    git("remote", "add", "origin", origin, cwd=path)
    git("add", "--all", cwd=path)
    git("commit", "--quiet", "--message", message, cwd=path)
