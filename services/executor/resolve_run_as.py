"""Find out as which user commands run, when the executor itself was started as root."""

import os
import pwd
from pathlib import Path

from msgspec import Struct

from shared.errors import ConfigurationError


class RunAs(Struct, frozen=True):
    """The user and the primary group of commands. They get no supplementary groups."""

    user: str
    uid: int
    gid: int


def resolve_run_as(user: str) -> RunAs:
    """Look ``user`` up in the system's user database.

    Raises ConfigurationError when there is no such user, when it is root, or when this process may not change
    users.
    """
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise ConfigurationError(f"there is no user {user!r} on this machine to run commands as") from None
    if entry.pw_uid == 0:
        raise ConfigurationError("commands must not run as root: name another user, or none")
    if os.geteuid() != 0:
        raise ConfigurationError(f"only an executor that is started as root can run commands as {user!r}")
    return RunAs(user=user, uid=entry.pw_uid, gid=entry.pw_gid)


def check_reachable(folder: Path, run_as: RunAs) -> None:
    """Raise ConfigurationError when ``run_as`` cannot enter ``folder``; it names what stops the user."""
    for part in (*reversed(folder.parents), folder):
        status = part.stat()
        if status.st_uid == run_as.uid:
            allowed = status.st_mode & 0o100
        elif status.st_gid == run_as.gid:
            allowed = status.st_mode & 0o010
        else:
            allowed = status.st_mode & 0o001
        if not allowed:
            raise ConfigurationError(
                f"the user {run_as.user!r} cannot enter {part}: chmod o+x it, or use another folder"
            )


def give_to(run_as: RunAs | None, *paths: Path) -> None:
    """Make the paths ``run_as``'s own; nothing when commands run as ourselves."""
    if run_as is not None:
        for path in paths:
            os.chown(path, run_as.uid, run_as.gid, follow_symlinks=False)
