"""Mirrors: fetched once, repaired by themselves, and silent about credentials."""

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest

from services.executor.call_git import GitCredential
from services.executor.fetch_mirror import Mirror, fetch_commit
from services.executor.find_object import has_object
from services.executor.git_errors import (
    AuthenticationRefusedError,
    CommitNotFoundError,
    InvalidRepositoryError,
    RepositoryUnreachableError,
)
from services.executor.name_repository import mirror_name
from services.executor.repack_mirror import repack_mirror
from services.executor.resolve_ref import resolve_ref
from services.executor.resolve_run_as import RunAs
from tests.service.executor.git_remote import GitRemote, git
from tests.service.executor.serve_repository import Served, serve_repository

ABSENT = "0123456789abcdef" * 2 + "01234567"


@pytest.fixture
def mirrors(tmp_path: Path) -> Path:
    folder = tmp_path / "mirrors"
    folder.mkdir()
    return folder


@pytest.fixture
def served(remote: GitRemote) -> Iterator[Served]:
    with serve_repository(remote.bare.parent) as running:
        yield running


async def fetch(mirrors: Path, remote: GitRemote, commit: str, ref: str | None = "refs/heads/main") -> Mirror:
    return await fetch_commit(mirrors, url=remote.url, ref=ref, commit=commit)


def packs(mirror: Mirror) -> list[Path]:
    return sorted((mirror.path / "objects" / "pack").glob("*.pack"))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def contents(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


async def test_a_commit_is_fetched_whole(mirrors: Path, remote: GitRemote) -> None:
    first = remote.commit({"a": b"1"})
    second = remote.commit({"b": b"2"})
    mirror = await fetch(mirrors, remote, second)
    assert mirror == Mirror(path=mirrors / mirror_name(remote.url), url=remote.url)
    git("fsck", "--strict", "--connectivity-only", second, cwd=mirror.path)
    assert has_object(mirror.path, first)
    assert names(mirrors) == {mirror.path.name, f"{mirror.path.name}.lock"}


async def test_a_commit_that_is_there_starts_nothing(mirrors: Path, remote: GitRemote) -> None:
    first = remote.commit({"a": b"1"})
    second = remote.commit({"a": b"2"})
    mirror = await fetch(mirrors, remote, second)
    shutil.rmtree(remote.bare)
    assert await fetch(mirrors, remote, second) == mirror
    assert await fetch(mirrors, remote, first) == mirror


async def test_a_fetch_brings_only_what_is_new(mirrors: Path, remote: GitRemote) -> None:
    mirror = await fetch(mirrors, remote, remote.commit({"big": os.urandom(100_000)}))
    (first,) = packs(mirror)
    await fetch(mirrors, remote, remote.commit({"small": b"1"}))
    (new,) = set(packs(mirror)) - {first}
    assert first.stat().st_size > 100_000
    assert new.stat().st_size < 1000


async def test_fetches_of_one_repository_at_once_make_one_fetch(mirrors: Path, remote: GitRemote) -> None:
    commit = remote.commit({"a": b"1"})
    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(fetch, mirrors, remote, commit)
    assert len(packs(Mirror(mirrors / mirror_name(remote.url), remote.url))) == 1


async def test_spellings_of_one_url_share_a_mirror(mirrors: Path, remote: GitRemote) -> None:
    commit = remote.commit({"a": b"1"})
    mirror = await fetch(mirrors, remote, commit)
    again = await fetch_commit(mirrors, url=f"file://{remote.url}/", ref=None, commit=commit)
    assert again.path == mirror.path


@pytest.mark.parametrize("ref", ["refs/heads/main", "main", None])
async def test_the_ref_need_not_point_at_the_commit(mirrors: Path, remote: GitRemote, ref: str | None) -> None:
    commit = remote.commit({"a": b"1"})
    remote.commit({"a": b"2"})
    assert has_object((await fetch(mirrors, remote, commit, ref)).path, commit)


async def test_a_commit_that_was_pushed_away_is_fetched_all_the_same(mirrors: Path, remote: GitRemote) -> None:
    remote.commit({"a": b"1"})
    commit = remote.commit({"a": b"2"})
    remote.push("HEAD~1:refs/heads/main")
    assert has_object((await fetch(mirrors, remote, commit)).path, commit)


async def test_a_branch_may_become_a_folder_of_branches(mirrors: Path, remote: GitRemote) -> None:
    await fetch(mirrors, remote, remote.commit({"a": b"1"}, push_to="topic"), "topic")
    remote.push(":refs/heads/topic")
    commit = remote.commit({"a": b"2"}, push_to="topic/one")
    assert has_object((await fetch(mirrors, remote, commit, "topic/one")).path, commit)


async def test_a_server_that_gives_out_no_single_commits_is_asked_for_the_ref(
    mirrors: Path, remote: GitRemote, served: Served
) -> None:
    commit = remote.commit({"a": b"1"})
    remote.commit({"a": b"2"})
    git("update-server-info", cwd=remote.bare)
    url = f"{served.url}/bare.git"
    assert has_object((await fetch_commit(mirrors, url=url, ref="main", commit=commit)).path, commit)


@pytest.mark.parametrize("ref", [None, "other"])
async def test_a_server_that_gives_out_no_single_commits_is_asked_for_everything(
    mirrors: Path, remote: GitRemote, served: Served, ref: str | None
) -> None:
    commit = remote.commit({"a": b"1"})
    git("update-server-info", cwd=remote.bare)
    url = f"{served.url}/bare.git"
    assert has_object((await fetch_commit(mirrors, url=url, ref=ref, commit=commit)).path, commit)


@pytest.mark.parametrize("ref", ["main", "no-such-branch", None])
async def test_an_unknown_commit_is_told(mirrors: Path, remote: GitRemote, ref: str | None) -> None:
    remote.commit({"a": b"1"})
    with pytest.raises(CommitNotFoundError, match=f"{remote.url} has no commit {ABSENT}"):
        await fetch(mirrors, remote, ABSENT, ref)
    assert not (mirrors / mirror_name(remote.url)).exists()
    assert names(mirrors) == {f"{mirror_name(remote.url)}.lock"}


async def test_a_commit_that_is_not_there_yet_is_found_later(mirrors: Path, remote: GitRemote) -> None:
    await fetch(mirrors, remote, remote.commit({"a": b"1"}))
    commit = remote.commit({"a": b"2"}, push_to=None)
    with pytest.raises(CommitNotFoundError):
        await fetch(mirrors, remote, commit)
    remote.push("HEAD:refs/heads/main")
    assert has_object((await fetch(mirrors, remote, commit)).path, commit)


@pytest.mark.parametrize(
    "url",
    ["/no/such/repository", "http://127.0.0.1:9/x.git", "git://127.0.0.1:9/x.git", "https://host.invalid/x.git"],
)
async def test_an_unreachable_repository_is_told(mirrors: Path, url: str) -> None:
    with pytest.raises(RepositoryUnreachableError, match=url):
        await fetch_commit(mirrors, url=url, ref="main", commit=ABSENT)
    assert names(mirrors) == {f"{mirror_name(url)}.lock"}


@pytest.mark.parametrize(
    ("url", "ref", "commit"),
    [
        ("--upload-pack=touch pwned", "main", ABSENT),
        ("-oProxyCommand=touch pwned", "main", ABSENT),
        ("ext::sh -c touch% pwned", "main", ABSENT),
        ("ssh://-oProxyCommand=touch/x", "main", ABSENT),
        ("https://user:secret@example.org/x.git", "main", ABSENT),
        ("/somewhere", "--upload-pack=touch", ABSENT),
        ("/somewhere", "main:refs/heads/x", ABSENT),
        ("/somewhere", "main", "--help"),
        ("/somewhere", "main", "HEAD"),
        ("/somewhere", "main", ABSENT[:12]),
    ],
)
async def test_what_git_might_misread_is_refused(mirrors: Path, url: str, ref: str, commit: str) -> None:
    with pytest.raises(InvalidRepositoryError) as refused:
        await fetch_commit(mirrors, url=url, ref=ref, commit=commit)
    assert "secret" not in str(refused.value)
    assert names(mirrors) == set()


@pytest.mark.parametrize("password", [None, "wrong-password"])
async def test_refused_credentials_are_told_and_not_shown(
    mirrors: Path, remote: GitRemote, served: Served, password: str | None
) -> None:
    served.password = "right-password"
    credential = None if password is None else GitCredential(username="ci", password=password)
    with pytest.raises(AuthenticationRefusedError) as refused:
        await fetch_commit(mirrors, url=f"{served.url}/bare.git", ref="main", commit=ABSENT, credential=credential)
    assert "password" not in str(refused.value).replace("could not read Password", "")
    assert "password" not in repr(credential).replace("password=***", "")


async def test_a_credential_opens_the_repository_and_stays_out_of_the_mirror(
    mirrors: Path, remote: GitRemote, served: Served
) -> None:
    commit = remote.commit({"a": b"1"})
    git("update-server-info", cwd=remote.bare)
    served.password = "p@ss'w\"ord $(x)"
    mirror = await fetch_commit(
        mirrors,
        url=f"{served.url}/bare.git",
        ref="main",
        commit=commit,
        credential=GitCredential(username="ci", password=served.password),
    )
    assert has_object(mirror.path, commit)
    assert not any(b"p@ss" in content for content in contents(mirrors))


async def test_a_redirect_to_another_host_does_not_learn_the_credential(
    mirrors: Path, remote: GitRemote, served: Served
) -> None:
    with serve_repository(remote.bare.parent) as thief:
        thief.password = "any"
        served.redirect_to = thief.url
        with pytest.raises(AuthenticationRefusedError):
            await fetch_commit(
                mirrors,
                url=f"{served.url}/bare.git",
                ref="main",
                commit=ABSENT,
                credential=GitCredential(username="ci", password="secret"),
            )
        assert thief.authorizations == []


def damage_by_emptying(mirror: Path) -> None:
    shutil.rmtree(mirror)
    mirror.mkdir()


def damage_head(mirror: Path) -> None:
    (mirror / "HEAD").unlink()


def damage_config(mirror: Path) -> None:
    (mirror / "config").write_text("[core\nnonsense")


def damage_indexes(mirror: Path) -> None:
    for index in (mirror / "objects" / "pack").glob("*.idx"):
        index.chmod(0o600)
        index.write_bytes(index.read_bytes()[:100])


def damage_packs(mirror: Path) -> None:
    for pack in (mirror / "objects" / "pack").glob("*.pack"):
        pack.unlink()


def damage_refs(mirror: Path) -> None:
    for ref in (mirror / "refs" / "howdah").iterdir():
        ref.write_bytes(b"\0" * 41)


@pytest.mark.parametrize(
    "damage",
    [damage_by_emptying, damage_head, damage_config, damage_indexes, damage_packs, damage_refs],
)
async def test_a_damaged_mirror_is_whole_after_the_next_fetch(
    mirrors: Path, remote: GitRemote, damage: Callable[[Path], None]
) -> None:
    remote.commit({"a": b"1"})
    mirror = await fetch(mirrors, remote, remote.commit({"b": b"1"}))
    damage(mirror.path)
    commit = remote.commit({"a": b"2"})
    await fetch(mirrors, remote, commit)
    git("archive", "-o", "/dev/null", commit, cwd=mirror.path)
    git("rev-list", "--objects", commit, cwd=mirror.path)
    assert names(mirrors) == {mirror.path.name, f"{mirror.path.name}.lock"}


async def test_a_mirror_half_made_by_a_killed_executor_is_no_obstacle(mirrors: Path, remote: GitRemote) -> None:
    unborn = mirrors / f"{mirror_name(remote.url)}.new"
    (unborn / "objects" / "pack").mkdir(parents=True)
    (unborn / "HEAD").write_text("ref: refs/heads/x")
    commit = remote.commit({"a": b"1"})
    assert has_object((await fetch(mirrors, remote, commit)).path, commit)
    assert not unborn.exists()


async def test_lock_files_of_a_killed_git_are_no_obstacle(mirrors: Path, remote: GitRemote) -> None:
    mirror = await fetch(mirrors, remote, remote.commit({"a": b"1"}))
    inode = mirror.path.stat().st_ino
    for ref in list((mirror.path / "refs" / "howdah").iterdir()):
        ref.with_name(f"{ref.name}.lock").touch()
    (mirror.path / "packed-refs.lock").touch()
    await fetch(mirrors, remote, remote.commit({"a": b"2"}))
    assert mirror.path.stat().st_ino == inode


@pytest.fixture
def silent_url() -> Iterator[str]:
    """A server that accepts, and then says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"git://127.0.0.1:{server.getsockname()[1]}/x.git"


async def test_a_repository_that_says_nothing_is_given_up(mirrors: Path, silent_url: str) -> None:
    with pytest.raises(RepositoryUnreachableError, match=r"took longer than 0\.05 s"):
        await fetch_commit(mirrors, url=silent_url, ref="main", commit=ABSENT, timeout_seconds=0.05)
    assert names(mirrors) == {f"{mirror_name(silent_url)}.lock"}


async def test_an_interrupted_fetch_leaves_nothing(mirrors: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        url = f"git://127.0.0.1:{server.getsockname()[1]}/x.git"
        async with anyio.create_task_group() as group:

            async def fetch_in_vain() -> None:
                await fetch_commit(mirrors, url=url, ref="main", commit=ABSENT)

            group.start_soon(fetch_in_vain)
            await anyio.wait_readable(server)
            with server.accept()[0] as connection:
                await anyio.wait_readable(connection)
                group.cancel_scope.cancel()
    assert names(mirrors) == {f"{mirror_name(url)}.lock"}


async def test_a_repack_merges_packs_and_keeps_what_was_pushed_away(mirrors: Path, remote: GitRemote) -> None:
    commits = [remote.commit({"a": b"%d" % number}) for number in range(3)]
    away = remote.commit({"a": b"away"}, push_to="topic")
    for commit in (*commits, away):
        mirror = await fetch(mirrors, remote, commit, "main")
    assert len(packs(mirror)) == 4
    (mirror.path / "objects" / "pack" / "tmp_pack_killed").touch()
    assert not await repack_mirror(mirror, many=4)
    assert await repack_mirror(mirror, many=3)
    assert len(packs(mirror)) < 4
    assert not list((mirror.path / "objects" / "pack").glob("tmp_*"))
    for commit in (*commits, away):
        assert has_object(mirror.path, commit)
        git("fsck", commit, cwd=mirror.path)


async def test_a_repository_of_another_user_on_this_machine_is_fetched(
    open_path: Path, mirrors: Path, remote: GitRemote, nobody: RunAs
) -> None:
    commit = remote.commit({"a": b"1"})
    for path in (remote.bare, *remote.bare.rglob("*")):
        os.chown(path, nobody.uid, nobody.gid)
    assert has_object((await fetch(mirrors, remote, commit)).path, commit)


async def test_a_repository_with_sha256_is_mirrored(mirrors: Path, tmp_path: Path) -> None:
    remote = GitRemote(tmp_path / "sha256", object_format="sha256")
    commit = remote.commit({"a": b"1"})
    assert len(commit) == 64
    mirror = await fetch(mirrors, remote, commit)
    assert has_object(mirror.path, commit)
    git("fsck", commit, cwd=mirror.path)


async def test_an_object_is_found_wherever_it_lies_in_an_index(mirrors: Path, remote: GitRemote) -> None:
    commit = remote.commit({f"file-{number}": b"%d" % number for number in range(600)})
    mirror = await fetch(mirrors, remote, commit)
    listed = git("cat-file", "--batch-all-objects", "--batch-check=%(objectname)", cwd=mirror.path).split()
    assert len(listed) > 600
    assert all(has_object(mirror.path, name) for name in listed)
    for name in (*listed[:50], "0" * 40, "f" * 40):
        changed = name[:-1] + ("0" if name[-1] != "0" else "1")
        assert has_object(mirror.path, changed) == (changed in listed)


async def test_a_ref_is_resolved_to_its_commit(mirrors: Path, remote: GitRemote) -> None:
    commit = remote.commit({"a": b"1"})
    git("tag", "-a", "-m", "one", "v1", cwd=remote.work)
    remote.push("refs/tags/v1:refs/tags/v1")
    remote.commit({"a": b"2"}, push_to="x/main")
    assert await resolve_ref(mirrors, url=remote.url, ref="main") == commit
    assert await resolve_ref(mirrors, url=remote.url, ref="refs/tags/v1") == commit
    with pytest.raises(CommitNotFoundError, match="has no refs/heads/gone"):
        await resolve_ref(mirrors, url=remote.url, ref="gone")
    with pytest.raises(RepositoryUnreachableError):
        await resolve_ref(mirrors, url="/no/such/repository", ref="main")
