"""Work trees: right at the commit, the user's own, and independent of the mirror they came from."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from services.executor.check_out import CheckoutFailedError, check_out
from services.executor.collect_output import collect_output
from services.executor.fetch_mirror import Mirror, fetch_commit
from services.executor.git_errors import CommitNotFoundError, InvalidRepositoryError, MirrorBrokenError
from services.executor.obtain_work_tree import obtain_work_tree
from services.executor.read_commit import CommitHead, read_commit
from services.executor.read_mirror import BLOB_LIMIT, list_changed_paths, read_blob
from services.executor.repack_mirror import repack_mirror
from services.executor.resolve_run_as import RunAs
from tests.service.executor.git_remote import GitRemote, git

ABSENT = "0123456789abcdef" * 2 + "01234567"


@pytest.fixture
def mirrors(tmp_path: Path) -> Path:
    folder = tmp_path / "mirrors"
    folder.mkdir()
    return folder


async def mirrored(mirrors: Path, remote: GitRemote, commit: str) -> Mirror:
    return await fetch_commit(mirrors, url=remote.url, ref="main", commit=commit)


async def test_a_work_tree_is_clean_at_the_commit(mirrors: Path, remote: GitRemote, tmp_path: Path) -> None:
    (remote.work / "run.sh").touch(mode=0o755)
    (remote.work / "link").symlink_to("a/b")
    commit = remote.commit({"a/b": b"one\r\ntwo\n", '\xe4 \n"x': b"odd name"})
    remote.commit({"a/b": b"later"})
    into = tmp_path / "tree"
    await check_out(await mirrored(mirrors, remote, commit), commit, into)
    assert git("status", "--porcelain", cwd=into) == ""
    assert git("rev-parse", "HEAD", cwd=into) == commit
    assert git("remote", "get-url", "origin", cwd=into) == remote.url
    assert git("rev-parse", "--abbrev-ref", "HEAD", cwd=into) == "HEAD"
    assert (into / "a/b").read_bytes() == b"one\r\ntwo\n"
    assert os.access(into / "run.sh", os.X_OK)
    assert str((into / "link").readlink()) == "a/b"
    assert into.stat().st_mode & 0o777 == 0o700


async def test_a_work_tree_outlives_repacking_and_removal_of_its_mirror(
    mirrors: Path, remote: GitRemote, tmp_path: Path
) -> None:
    for number in range(3):
        commit = remote.commit({"a": b"%d" % number})
        mirror = await mirrored(mirrors, remote, commit)
    into = tmp_path / "tree"
    await check_out(mirror, commit, into)
    assert await repack_mirror(mirror, many=1)
    git("fsck", "--strict", cwd=into)
    again = tmp_path / "again"
    await check_out(mirror, commit, again)
    shutil.rmtree(mirror.path)
    for tree in (into, again):
        git("fsck", "--strict", cwd=tree)
        assert len(git("log", "--format=%H", cwd=tree).split()) == 3


async def test_objects_are_linked_not_copied(mirrors: Path, remote: GitRemote, tmp_path: Path) -> None:
    commit = remote.commit({"a": b"1"})
    mirror = await mirrored(mirrors, remote, commit)
    await check_out(mirror, commit, tmp_path / "tree")
    for path in (mirror.path / "objects" / "pack").iterdir():
        linked = tmp_path / "tree" / ".git" / "objects" / "pack" / path.name
        assert linked.stat().st_ino == path.stat().st_ino
        assert linked.stat().st_mode & 0o222 == 0


async def test_a_work_tree_of_another_user_is_that_users_own(open_path: Path, remote: GitRemote, nobody: RunAs) -> None:
    mirrors = open_path / "mirrors"
    mirrors.mkdir(mode=0o700)
    commit = remote.commit({"a/b": b"1"})
    mirror = await mirrored(mirrors, remote, commit)
    into = open_path / "tree"
    await check_out(mirror, commit, into, run_as=nobody)
    packs = into / ".git" / "objects" / "pack"
    for path in (into, *into.rglob("*")):
        assert path.lstat().st_uid == (0 if path.parent == packs else nobody.uid), path
    assert git("status", "--porcelain", cwd=into, user=nobody.uid) == ""
    (into / "a" / "b").write_bytes(b"2")
    git("commit", "-q", "-a", "-m", "theirs", cwd=into, user=nobody.uid)
    spoil = f"for f in {packs}/*; do chmod u+w $f || echo x > $f; done; ls {mirror.path}"
    spoiled = await collect_output(["sh", "-c", spoil], cwd=into, env={}, run_as=nobody, timeout_seconds=20)
    assert (spoiled.code, spoiled.stdout) == (2, b"")
    assert spoiled.stderr.count(b"not permitted") == len(list(packs.iterdir()))
    git("fsck", "--strict", commit, cwd=mirror.path)


async def test_nothing_of_the_repository_is_run_by_a_checkout(mirrors: Path, remote: GitRemote, tmp_path: Path) -> None:
    commit = remote.commit(
        {".gitattributes": b"* filter=evil\n", "a": b"1", ".git-hooks/post-checkout": b"#!/bin/sh\ntouch pwned"}
    )
    await check_out(await mirrored(mirrors, remote, commit), commit, tmp_path / "tree")
    assert git("ls-files", "--others", cwd=tmp_path / "tree") == ""


async def test_a_work_tree_of_sha256_is_checked_out(mirrors: Path, tmp_path: Path) -> None:
    remote = GitRemote(tmp_path / "sha256", object_format="sha256")
    commit = remote.commit({"a": b"1"})
    await check_out(await mirrored(mirrors, remote, commit), commit, tmp_path / "tree")
    assert git("status", "--porcelain", cwd=tmp_path / "tree") == ""


async def test_a_url_with_quotes_is_no_configuration(mirrors: Path, tmp_path: Path) -> None:
    remote = GitRemote(tmp_path / 'a"b\\c;d#e')
    commit = remote.commit({"a": b"1"})
    await check_out(await mirrored(mirrors, remote, commit), commit, tmp_path / "tree")
    assert git("remote", "get-url", "origin", cwd=tmp_path / "tree") == remote.url


async def test_a_commit_that_the_mirror_lacks_leaves_no_folder(
    mirrors: Path, remote: GitRemote, tmp_path: Path
) -> None:
    mirror = await mirrored(mirrors, remote, remote.commit({"a": b"1"}))
    with pytest.raises(MirrorBrokenError, match=ABSENT):
        await check_out(mirror, ABSENT, tmp_path / "tree")
    assert not (tmp_path / "tree").exists()


async def test_a_work_tree_that_cannot_be_written_is_not_the_mirrors_fault(
    mirrors: Path, remote: GitRemote, tmp_path: Path
) -> None:
    remote.commit({"a": b"1"})
    too_long = f"100644,{git('hash-object', 'a', cwd=remote.work)},{'n' * 300}"
    git("update-index", "--add", "--cacheinfo", too_long, cwd=remote.work)
    tree = git("write-tree", cwd=remote.work)
    commit = git("commit-tree", "-m", "one", tree, cwd=remote.work)
    remote.push(f"{commit}:refs/heads/main")
    mirror = await mirrored(mirrors, remote, commit)
    with pytest.raises(CheckoutFailedError, match="File name too long"):
        await check_out(mirror, commit, tmp_path / "tree")
    assert not (tmp_path / "tree").exists()


async def test_an_interrupted_checkout_leaves_nothing(mirrors: Path, remote: GitRemote, tmp_path: Path) -> None:
    commit = remote.commit({"a": b"1"})
    mirror = await mirrored(mirrors, remote, commit)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await check_out(mirror, commit, tmp_path / "tree")
    assert not (tmp_path / "tree").exists()


def lose_packs(mirror: Mirror) -> None:
    for pack in (mirror.path / "objects" / "pack").glob("*.pack"):
        pack.unlink()


def cut_packs(mirror: Mirror) -> None:
    for pack in (mirror.path / "objects" / "pack").glob("*.pack"):
        pack.chmod(0o600)
        os.truncate(pack, pack.stat().st_size // 2)


def spoil_packs(mirror: Mirror) -> None:
    for pack in (mirror.path / "objects" / "pack").glob("*.pack"):
        pack.chmod(0o600)
        pack.write_bytes(pack.read_bytes()[:40] + bytes(pack.stat().st_size - 40))


@pytest.mark.parametrize("damage", [lose_packs, cut_packs, spoil_packs])
async def test_a_mirror_found_broken_by_a_checkout_is_made_anew(
    mirrors: Path, remote: GitRemote, tmp_path: Path, damage: Callable[[Mirror], None]
) -> None:
    commit = remote.commit({"a": os.urandom(1000)})
    damage(await mirrored(mirrors, remote, commit))
    into = tmp_path / "tree"
    mirror = await obtain_work_tree(mirrors, url=remote.url, ref="main", commit=commit, into=into)
    git("fsck", "--strict", cwd=into)
    git("fsck", "--strict", commit, cwd=mirror.path)


async def test_a_commit_that_is_nowhere_is_no_broken_mirror(mirrors: Path, remote: GitRemote, tmp_path: Path) -> None:
    mirror = await mirrored(mirrors, remote, remote.commit({"a": b"1"}))
    inode = mirror.path.stat().st_ino
    with pytest.raises(CommitNotFoundError):
        await obtain_work_tree(mirrors, url=remote.url, ref="main", commit=ABSENT, into=tmp_path / "tree")
    assert mirror.path.stat().st_ino == inode


async def test_a_file_is_read_from_its_commit(mirrors: Path, remote: GitRemote) -> None:
    first = remote.commit({".howdah.yml": b"name: a\n\0\xff", "d/f": b""})
    commit = remote.commit({".howdah.yml": b"x" * (BLOB_LIMIT + 10)})
    mirror = await mirrored(mirrors, remote, commit)
    assert await read_blob(mirror, first, ".howdah.yml") == b"name: a\n\0\xff"
    assert await read_blob(mirror, commit, ".howdah.yml") == b"x" * BLOB_LIMIT
    assert await read_blob(mirror, commit, "d/f") == b""
    for path in ("d", "no such file", "d/f/g", "d f"):
        assert await read_blob(mirror, commit, path) is None
    for path in ("", "a\nb", "../a", "./a", "/a", "d/"):
        with pytest.raises(InvalidRepositoryError):
            await read_blob(mirror, commit, path)
    with pytest.raises(MirrorBrokenError):
        await read_blob(mirror, ABSENT, ".howdah.yml")
    lose_packs(mirror)
    with pytest.raises(MirrorBrokenError):
        await read_blob(mirror, commit, ".howdah.yml")


async def test_changed_paths_are_those_of_the_whole_push(mirrors: Path, remote: GitRemote) -> None:
    before = remote.commit({"a": b"1", "old": b"moved" * 50, "gone": b"1"})
    (remote.work / "old").rename(remote.work / "new")
    (remote.work / "gone").unlink()
    remote.commit({"d/e\xe9\n": b"1"})
    after = remote.commit({"a": b"2"})
    mirror = await mirrored(mirrors, remote, after)
    assert await list_changed_paths(mirror, before, after) == ["a", "d/e\xe9\n", "gone", "new", "old"]
    assert await list_changed_paths(mirror, after, after) == []
    assert await list_changed_paths(mirror, "0" * 40, after) is None
    assert await list_changed_paths(mirror, ABSENT, after) is None
    with pytest.raises(InvalidRepositoryError):
        await list_changed_paths(mirror, "--output=x", after)


async def test_a_commit_is_known_by_title_and_author(mirrors: Path, remote: GitRemote) -> None:
    commit = remote.commit({"a": b"1"}, message="Über\nzwei Zeilen\n\nauthor Mallory <m@example.org>\n")
    mirror = await mirrored(mirrors, remote, commit)
    assert await read_commit(mirror, commit) == CommitHead(title="Über zwei Zeilen", author="Ada")
    with pytest.raises(MirrorBrokenError):
        await read_commit(mirror, ABSENT)
