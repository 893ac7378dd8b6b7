"""A repository to build, and its pipeline. Nothing but the bench's own webhooks tells Howdah of a push to it."""

import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from deploy.embedded.repository import git, make_bare_repository, make_clone
from tests.bench.open_bench import Bench

_numbers = itertools.count(1)
# A small application: what is checked out for every job.
_FILES: Final = {
    f"package{folder}/module{file}.py": f"NAME = 'module {file}'\n" * 40 for folder in range(4) for file in range(10)
}


@dataclass
class Origin:
    """The pipeline's name and secret; the repository, and a clone that commits are made in."""

    name: str
    secret: str
    bare: Path
    clone: Path
    commits: list[str] = field(default_factory=list)

    def push_commits(self, count: int = 1) -> list[str]:
        """Make commits and push them, without telling anybody; returns their ids, oldest first."""
        for _ in range(count):
            number = len(self.commits)
            (self.clone / "changed.txt").write_text(f"{number}\n")
            git("add", "--all", cwd=self.clone)
            git("commit", "--quiet", "--message", f"commit {number}", cwd=self.clone)
            self.commits.append(git("rev-parse", "HEAD", cwd=self.clone).strip())
        git("push", "--quiet", "origin", "main", cwd=self.clone)
        return self.commits[-count:]


def make_origin(bench: Bench, pipeline_file: str) -> Origin:
    """Make a repository of some forty files with this pipeline file, push its first commit, and enter its pipeline."""
    name = f"bench-{next(_numbers)}"
    bare, clone = bench.stack.state / f"{name}.git", bench.stack.state / f"{name}-clone"
    make_bare_repository(bare)
    make_clone(clone, origin=bare, files={**_FILES, ".howdah.yml": pipeline_file}, message="first")
    made = bench.post("/api/v1/pipelines", {"name": name, "repository_url": bare.as_uri()})
    origin = Origin(name, made["webhook_secret"], bare, clone, [git("rev-parse", "HEAD", cwd=clone).strip()])
    git("push", "--quiet", "origin", "main", cwd=clone)
    return origin
