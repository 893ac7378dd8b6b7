"""What is handed to git was checked, and one repository has one mirror."""

import pytest

from services.executor.git_errors import InvalidRepositoryError
from services.executor.name_repository import check_commit, check_url, full_ref, mirror_name, url_origin


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/group/app.git",
        "http://example.org:8080/app",
        "ssh://git@example.org:2222/app.git",
        "git@example.org:group/app.git",
        "example.org:app",
        "git://example.org/app",
        "file:///srv/app.git",
        "/srv/app.git",
        "https://[2001:db8::1]/app",
    ],
)
def test_usual_urls_are_accepted(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "-x",
        "--upload-pack=x",
        "relative/path",
        "./x",
        "ext::sh -c x",
        "ext::sh",
        "fd::17",
        "ftp://example.org/x",
        "https:///x",
        "https://example.org:port/x",
        "https://user:secret@example.org/x",
        "https://token@example.org/x",
        "ssh://git:secret@example.org/x",
        "ssh://-oProxyCommand=x/y",
        "-oProxyCommand=x:y",
        "https://example.org/a b",
        "https://example.org/a\nb",
        "https://[::1/x",
    ],
)
def test_other_urls_are_refused_without_showing_a_password(url: str) -> None:
    with pytest.raises(InvalidRepositoryError) as refused:
        check_url(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "spellings",
    [
        [
            "https://example.org/Group/app",
            "https://example.org/Group/app.git",
            "https://example.org/Group/app.git/",
            "HTTPS://EXAMPLE.org:443//Group/app/",
        ],
        [
            "git@example.org:group/app",
            "git@Example.org:group/app.git",
            "ssh://git@example.org/group/app",
            "ssh://git@example.org:22/group/app.git",
        ],
        ["/srv/app", "/srv/app.git", "file:///srv/app/"],
    ],
)
def test_spellings_of_one_url_have_one_mirror(spellings: list[str]) -> None:
    assert len({mirror_name(url) for url in spellings}) == 1


def test_different_repositories_have_different_mirrors() -> None:
    urls = [
        "https://example.org/app",
        "https://example.org/App",
        "https://example.org:8443/app",
        "http://example.org/app",
        "https://example.com/app",
        "ssh://git@example.org/app",
        "ssh://other@example.org/app",
        "https://example.org/app?x=1",
        "/app",
    ]
    assert len({mirror_name(url) for url in urls}) == len(urls)


def test_a_credential_goes_to_scheme_host_and_port_only() -> None:
    assert url_origin("https://example.org:8443/a/b.git") == "https://example.org:8443"
    assert url_origin("git@example.org:a") is None
    assert url_origin("file:///srv/app") is None


@pytest.mark.parametrize(
    ("ref", "full"),
    [
        ("main", "refs/heads/main"),
        ("release/1.0", "refs/heads/release/1.0"),
        ("refs/tags/v1", "refs/tags/v1"),
        ("refs/pull/1/head", "refs/pull/1/head"),
        ("ünï@x", "refs/heads/ünï@x"),
    ],
)
def test_refs_are_given_their_full_names(ref: str, full: str) -> None:
    assert full_ref(ref) == full


BAD_REFS = ["-x", "@", "a..b", "a:b", "a~1", "a^", "a?", "a*", "a[", "a\\b", "a//b", "/a", "a/", ".a", "a/.b", "a."]
BAD_REFS += ["", "a b", "a\nb", "a\x7f", "a.lock", "a.lock/b", "a@{1}"]


@pytest.mark.parametrize("ref", BAD_REFS)
def test_what_git_refuses_as_a_ref_is_refused(ref: str) -> None:
    with pytest.raises(InvalidRepositoryError):
        full_ref(ref)


@pytest.mark.parametrize("commit", ["", "HEAD", "a" * 39, "a" * 41, "A" * 40, "g" * 40, "--help", "a" * 40 + "\n"])
def test_only_full_commit_ids_are_accepted(commit: str) -> None:
    with pytest.raises(InvalidRepositoryError):
        check_commit(commit)
    check_commit("a" * 40)
    check_commit("0" * 64)
