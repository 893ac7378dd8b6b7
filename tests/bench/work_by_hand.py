"""What somebody would do by hand to run a pushed commit's first command: git, git, git, and `sh -c`.

The same git work as Howdah's, with the same git settings: fetch one commit into a bare mirror, read the pipeline
file, check out into a fresh folder whose packs are hard links. No database, no isolation, nothing kept.
"""

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Final

_GIT_CONFIG: Final = """\
[core]
	hooksPath = /dev/null
[gc]
	auto = 0
[maintenance]
	auto = false
[fetch]
	unpackLimit = 1
	writeCommitGraph = false
[protocol]
	version = 2
[safe]
	directory = *
"""


class HandWorker:
    """A folder with a mirror of one repository, and the few lines that make use of it."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder = folder
        self._url = url
        self._mirror = folder / "mirror.git"
        self._environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(folder),
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        folder.mkdir()
        (folder / ".gitconfig").write_text(_GIT_CONFIG)
        self._git("init", "--quiet", "--bare", str(self._mirror))

    def run_commit(self, commit: str, command: str) -> tuple[float, str]:
        """Bring the commit here and run the command in it; returns when this began (Unix seconds), and its output."""
        began = time.time()
        self._git(
            "fetch", "--quiet", "--force", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance",
            "--no-recurse-submodules", "--", self._url, f"+{commit}:refs/bench/newest", git_dir=self._mirror,
        )  # fmt: skip
        self._git("cat-file", "blob", f"{commit}:.howdah.yml", git_dir=self._mirror)
        tree = self._folder / f"run-{commit}"
        self._check_out(commit, tree)
        said = subprocess.run(
            ["sh", "-c", command], cwd=tree, env=self._environment, capture_output=True, text=True, check=True
        ).stdout
        shutil.rmtree(tree)  # after the command: not part of what is measured
        return began, said

    def _check_out(self, commit: str, tree: Path) -> None:
        git_dir = tree / ".git"
        packs = git_dir / "objects" / "pack"
        packs.mkdir(parents=True)
        (git_dir / "refs").mkdir()
        (git_dir / "HEAD").write_text(f"{commit}\n")
        (git_dir / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = false\n")
        for entry in os.scandir(self._mirror / "objects" / "pack"):
            os.link(entry.path, packs / entry.name)
        self._git(
            "-c", "checkout.workers=2", "read-tree", "-u", "--reset", commit, git_dir=git_dir, work_tree=tree
        )  # fmt: skip

    def _git(self, *arguments: str, git_dir: Path | None = None, work_tree: Path | None = None) -> None:
        environment = dict(self._environment)
        if git_dir is not None:
            environment["GIT_DIR"] = str(git_dir)
        if work_tree is not None:
            environment["GIT_WORK_TREE"] = str(work_tree)
        subprocess.run(
            ["git", *arguments],
            cwd=work_tree or self._folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
        )
