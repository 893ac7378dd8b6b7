"""Git's words become types, and never carry a secret."""

import pytest

from services.executor.git_errors import (
    AuthenticationRefusedError,
    CommitNotFoundError,
    GitError,
    RepositoryUnreachableError,
    clean_message,
    explain_failure,
)


@pytest.mark.parametrize(
    ("stderr", "kind"),
    [
        ("fatal: Authentication failed for 'https://example.org/x/'", AuthenticationRefusedError),
        (
            "fatal: could not read Username for 'https://example.org': terminal prompts disabled",
            AuthenticationRefusedError,
        ),
        (
            "git@example.org: Permission denied (publickey).\nfatal: Could not read from remote repository.",
            AuthenticationRefusedError,
        ),
        (
            "fatal: unable to access 'https://example.org/x/': The requested URL returned error: 403",
            AuthenticationRefusedError,
        ),
        ("fatal: remote error: upload-pack: not our ref 0123", CommitNotFoundError),
        ("fatal: couldn't find remote ref refs/heads/x", CommitNotFoundError),
        ("error: Server does not allow request for unadvertised object 0123", CommitNotFoundError),
        (
            "fatal: unable to access 'https://x.invalid/': Could not resolve host: x.invalid",
            RepositoryUnreachableError,
        ),
        (
            "fatal: unable to connect to example.org:\nexample.org[0]: errno=Connection refused",
            RepositoryUnreachableError,
        ),
        ("remote: Repository not found.\nfatal: repository 'https://e.org/x/' not found", RepositoryUnreachableError),
        ("fatal: '/x' does not appear to be a git repository", RepositoryUnreachableError),
        ("ssh: connect to host e.org port 22: No route to host", RepositoryUnreachableError),
        (
            "fetch-pack: unexpected disconnect while reading sideband packet\nfatal: early EOF",
            RepositoryUnreachableError,
        ),
        ("server certificate verification failed. CAfile: none (SSL error)", RepositoryUnreachableError),
        ("fatal: bad object refs/howdah/x", GitError),
        ("fatal: not a git repository: '/mirrors/x'", GitError),
        ("error: unable to write file: No space left on device", GitError),
    ],
)
def test_failures_are_told_apart(stderr: str, kind: type[GitError]) -> None:
    assert type(explain_failure(stderr, url="https://example.org/x")) is kind


def test_messages_carry_no_secret_and_no_control_characters() -> None:
    stderr = "hint: try\nfatal: 'https://u:tok@e.org/x' s3cret\x1b[31m\n\n  remote: s3cret-2  \r\n"
    assert clean_message(stderr, secrets=("s3cret", "")) == "fatal: 'https://***@e.org/x' *** [31m; remote: ***-2"
    assert clean_message("") == "git gave no reason"
    assert len(clean_message("x" * 10_000)) == 600
