"""A real repository to fetch from, with commits made by real git."""

import os
import subprocess
from pathlib import Path

_ENV = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "LC_ALL": "C",
    # Tests need no durability, and no upkeep in the background.
    "GIT_CONFIG_COUNT": "3",
    "GIT_CONFIG_KEY_0": "core.fsync",
    "GIT_CONFIG_VALUE_0": "none",
    "GIT_CONFIG_KEY_1": "gc.auto",
    "GIT_CONFIG_VALUE_1": "0",
    "GIT_CONFIG_KEY_2": "maintenance.auto",
    "GIT_CONFIG_VALUE_2": "false",
}


def git(*arguments: str, cwd: Path, user: int | None = None) -> str:
    """Run git and return what it says; its failure fails the test."""
    ran = subprocess.run(["git", *arguments], cwd=cwd, env=_ENV, capture_output=True, text=True, check=False, user=user)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


class GitRemote:
    """A bare repository, and a work tree to push from."""

    def __init__(self, folder: Path, *, object_format: str = "sha1") -> None:
        folder.mkdir()
        self.work = folder / "work"
        self.bare = folder / "bare.git"
        flags = ("-q", "--template=", f"--object-format={object_format}", "-b", "main")
        git("init", *flags, str(self.work), cwd=folder)
        git("init", *flags, "--bare", str(self.bare), cwd=folder)

    @property
    def url(self) -> str:
        return str(self.bare)

    def commit(self, files: dict[str, bytes], *, message: str = "change", push_to: str | None = "main") -> str:
        for name, content in files.items():
            path = self.work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        git("add", "-A", cwd=self.work)
        git("commit", "-q", "--allow-empty", "-m", message, cwd=self.work)
        if push_to is not None:
            self.push(f"HEAD:refs/heads/{push_to}")
        return git("rev-parse", "HEAD", cwd=self.work)

    def push(self, refspec: str) -> None:
        git("push", "-q", "--force", str(self.bare), refspec, cwd=self.work)
