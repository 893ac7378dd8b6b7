"""Write the skeleton of a git repository by hand: ``git init`` without its process and its templates."""

from pathlib import Path


def lay_out_repository(git_dir: Path, *, head: str, commit: str, bare: bool, origin: str | None = None) -> None:
    """Make ``git_dir`` (gitrepository-layout(5)) with ``head`` in HEAD, in the object format of ``commit``.

    Raises FileExistsError when ``git_dir`` is there already.
    """
    git_dir.mkdir(mode=0o755)
    for folder in ("objects", "objects/pack", "objects/info", "refs", "refs/heads"):
        (git_dir / folder).mkdir(mode=0o755)
    sha256 = len(commit) == 64
    config = f"[core]\n\trepositoryformatversion = {int(sha256)}\n\tfilemode = true\n"
    config += f"\tbare = {str(bare).lower()}\n"
    if sha256:
        config += "[extensions]\n\tobjectformat = sha256\n"
    if origin is not None:
        quoted = origin.replace("\\", "\\\\").replace('"', '\\"')
        config += f'[remote "origin"]\n\turl = "{quoted}"\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n'
    (git_dir / "config").write_text(config)
    (git_dir / "HEAD").write_text(head + "\n")
