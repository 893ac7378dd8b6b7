"""Start git for our own ends: nobody else's configuration, no prompts, no hooks, no gc."""

import os
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from services.executor.collect_output import Collected, collect_output
from services.executor.name_repository import url_origin
from services.executor.resolve_run_as import RunAs

_PATH = "/usr/local/bin:/usr/bin:/bin"
# How the machine reaches the world is its own business, and the only thing that we take over.
_PASSED_ON = (
    "PATH", "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "SSH_AUTH_SOCK",
)  # fmt: skip

# In a file, because git's local transport hides configuration in the environment from the other side. Every
# directory is safe to fetch from: a fetch runs nothing that the repository it reads has configured.
_CONFIG = """\
[core]
	hooksPath = /dev/null
[gc]
	auto = 0
[maintenance]
	auto = false
[fetch]
	unpackLimit = 1
	writeCommitGraph = false
	recurseSubmodules = false
	showForcedUpdates = true
[protocol]
	version = 2
[protocol "ext"]
	allow = never
[http]
	lowSpeedLimit = 1000
	lowSpeedTime = 60
[safe]
	directory = *
[credential]
	helper =
[advice]
	detachedHead = false
"""

# Runs in the shell that git starts for it: the secret is in that environment, never in an argument. Git asks
# this helper only for the origin that it is configured for, so a redirect to another host learns nothing.
_CREDENTIAL_HELPER = (
    '!f() { test "$1" = get'
    ' && printf "username=%s\\npassword=%s\\n" "$HOWDAH_GIT_USERNAME" "$HOWDAH_GIT_PASSWORD"; }; f'
)


class GitCredential(Struct, frozen=True):
    """What an http(s) repository wants to see. What the user name of a token is, the forge says."""

    username: str
    password: str

    def __repr__(self) -> str:
        return f"GitCredential(username={self.username!r}, password=***)"


def write_git_config(home: Path) -> None:
    """Put our configuration into ``home``, which `call_git` then takes for the user's."""
    path = home / ".gitconfig"
    if path.exists() and path.read_text() == _CONFIG:
        return
    fresh = home / f".gitconfig.{os.getpid()}"
    fresh.write_text(_CONFIG)
    fresh.rename(path)


async def call_git(
    *arguments: str,
    git_dir: Path,
    timeout_seconds: float,
    home: Path | None = None,
    work_tree: Path | None = None,
    run_as: RunAs | None = None,
    credential_for: tuple[str, GitCredential | None] | None = None,
    stdin: bytes = b"",
    limit_bytes: int = 1024 * 1024,
) -> Collected:
    """Run git on exactly this repository and collect what it says.

    ``home`` holds our configuration (`write_git_config`); without one git has no configuration but the
    repository's. ``credential_for`` is a URL with what to send to it, and to no other origin. Raises
    CommandStartError.
    """
    env = {
        "PATH": _PATH,
        **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        "HOME": str(home or "/nonexistent"),
        "LC_ALL": "C",
        "GIT_DIR": str(git_dir),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "false",
        "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ConnectTimeout=15",
        "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
        "GIT_OPTIONAL_LOCKS": "0",
    }
    if work_tree is not None:
        env["GIT_WORK_TREE"] = str(work_tree)
    if credential_for is not None:
        env |= _credential_env(*credential_for)
    return await collect_output(
        ["git", *arguments],
        cwd=work_tree or git_dir,
        env=env,
        run_as=run_as,
        timeout_seconds=timeout_seconds,
        stdin=stdin,
        limit_bytes=limit_bytes,
    )


def _credential_env(url: str, credential: GitCredential | None) -> Mapping[str, str]:
    origin = url_origin(url)
    if credential is None or origin is None:
        return {}
    return {
        "HOWDAH_GIT_USERNAME": credential.username,
        "HOWDAH_GIT_PASSWORD": credential.password,
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"credential.{origin}.helper",
        "GIT_CONFIG_VALUE_0": _CREDENTIAL_HELPER,
    }
