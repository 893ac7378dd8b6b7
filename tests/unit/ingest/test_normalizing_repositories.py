"""One key for all the URLs of a repository, and none for what is no repository of ours to fetch."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.normalize_repository import BadRepositoryError, normalize_repository


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/you/app",
        "https://github.com/you/app.git",
        "https://github.com/You/App.git/",
        "HTTPS://GITHUB.COM:443/you/app",
        "http://github.com/you/app",
        "https://www.github.com/you/app",
        "https://github.com//you//app",
        "https://github.com./you/app",
        "git@github.com:you/app.git",
        "GIT@GitHub.com:You/App",
        "github.com:you/app",
        "git@github.com:/you/app.git",
        "ssh://git@github.com/you/app.git",
        "ssh://git@github.com:22/you/app",
        "ssh://git@ssh.github.com:443/you/app.git",
        "git://github.com/you/app.git",
        "git://github.com:9418/you/app.git",
        "https://github.com/you/%61pp",
    ],
)
def test_all_of_these_are_one_repository(url: str) -> None:
    assert normalize_repository(url, allow_local=False) == "github.com/you/app"


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("https://git.example.org/You/App.git", "git.example.org/You/App"),
        ("https://git.example.org:8443/a/b", "git.example.org:8443/a/b"),
        ("ssh://git@git.example.org:2222/a/b", "git.example.org:2222/a/b"),
        ("https://acme.ghe.com/You/App", "acme.ghe.com/you/app"),
        ("https://notgithub.com/You/App", "notgithub.com/You/App"),
        ("https://gitlab.com/group/sub/project.git", "gitlab.com/group/sub/project"),
        ("https://[::1]:8443/a", "[::1]:8443/a"),
        ("git@[::1]:a/b.git", "[::1]/a/b"),
        ("https://example.org/a/../b", "example.org/b"),
    ],
)
def test_other_repositories_keep_what_tells_them_apart(url: str, key: str) -> None:
    assert normalize_repository(url, allow_local=False) == key


@pytest.mark.parametrize(
    "url", ["/srv/git/app.git", "file:///srv/git/app", "file://localhost/srv//git/app.git/", "file:///srv/git/app/.git"]
)
def test_local_repositories_are_paths_if_they_are_allowed(url: str) -> None:
    assert normalize_repository(url, allow_local=True) == "file:/srv/git/app"
    with pytest.raises(BadRepositoryError, match="not allowed"):
        normalize_repository(url, allow_local=False)


@pytest.mark.parametrize(
    "url",
    [
        "",
        " ",
        "app",
        "../app",
        "you/app",
        "-oProxyCommand=id",
        "--upload-pack=id",
        "ext::sh -c id",
        "ext::sh",
        "fd::17",
        "https://",
        "https:///app",
        "https://github.com",
        "https://github.com/",
        "https://github.com/.git",
        "https://user@github.com/a/b",
        "https://user:password@github.com/a/b",
        "https://:password@github.com/a/b",
        "ssh://git:password@github.com/a/b",
        "https://github.com/a/b?token=x",
        "https://github.com/a/b#x",
        "https://github.com:99999/a/b",
        "https://github.com:x/a/b",
        "https://[::1/a",
        "https://github.com/a b",
        "https://github.com/a\nb",
        "https://github.com/a%00b",
        "https://github.com/a%0ab",
        "ssh://-oProxyCommand=id/a",
        "ftp://example.org/a",
        "javascript:alert(1)//x",
        "file://otherhost/srv/app",
        "file:app",
        "file:///a%00b",
        "https://github.com/" + "x" * 2000,
    ],
)
def test_what_is_no_repository_is_refused(url: str) -> None:
    with pytest.raises(BadRepositoryError):
        normalize_repository(url, allow_local=True)


@given(st.text(max_size=60))
def test_no_text_breaks_it(text: str) -> None:
    try:
        key = normalize_repository(text, allow_local=True)
    except BadRepositoryError:
        return
    assert key
    assert "\0" not in key


@given(st.from_regex(r"[a-z]{1,8}/[a-z0-9._-]{1,12}", fullmatch=True))
def test_a_key_does_not_depend_on_the_scheme(path: str) -> None:
    try:
        key = normalize_repository(f"https://git.example.org/{path}", allow_local=False)
    except BadRepositoryError:
        return
    assert normalize_repository(f"git@git.example.org:{path}", allow_local=False) == key
    assert normalize_repository(f"ssh://git@git.example.org/{path}", allow_local=False) == key
