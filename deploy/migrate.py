"""Apply the migrations with dbmate, under an advisory lock: dbmate itself takes none.

Usage: python -m deploy.migrate up | down | status | new NAME
The owner's direct connection URI is read from HOWDAH_OWNER_DATABASE_URL, or from the file that
HOWDAH_OWNER_DATABASE_URL_FILE names.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import psycopg

MIGRATIONS: Final = Path(__file__).parent.parent / "sql" / "migrations"

# Any fixed number of our own: session-level, in the two-key space that nothing else of Howdah uses.
_LOCK: Final = (0x686F7764, 1)


class MigrationError(RuntimeError):
    """dbmate refused; the message is its own."""


def _dbmate_binary() -> str:
    found = shutil.which("dbmate", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        raise MigrationError("dbmate is not installed: run `make setup`")
    return found


def run_dbmate(dsn: str, *arguments: str) -> str:
    """Run one dbmate command against `dsn`, alone: another run waits for this one. Returns what it printed.

    Raises `MigrationError`.
    """
    with psycopg.connect(dsn, autocommit=True) as guard:
        guard.execute("select pg_advisory_lock(%s, %s)", _LOCK)
        done = subprocess.run(
            [_dbmate_binary(), "--no-dump-schema", "--migrations-dir", str(MIGRATIONS), *arguments],
            env={"DATABASE_URL": _without_tls(dsn), "PATH": os.environ.get("PATH", "")},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise MigrationError(f"dbmate {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def _without_tls(dsn: str) -> str:
    """Return the URI with an explicit sslmode: dbmate's driver insists on TLS where libpq merely prefers it."""
    if "sslmode=" in dsn:
        return dsn
    return f"{dsn}{'&' if '?' in dsn else '?'}sslmode=disable"


def _owner_dsn() -> str:
    named = os.environ.get("HOWDAH_OWNER_DATABASE_URL_FILE")
    dsn = Path(named).read_text().strip() if named else os.environ.get("HOWDAH_OWNER_DATABASE_URL", "")
    if not dsn:
        raise MigrationError(
            "set HOWDAH_OWNER_DATABASE_URL (or HOWDAH_OWNER_DATABASE_URL_FILE) to the owner's direct connection URI"
        )
    return dsn


def main(arguments: list[str]) -> int:
    """Run as a command; returns the exit status."""
    match arguments:
        case ["new", name]:
            done = subprocess.run([_dbmate_binary(), "--migrations-dir", str(MIGRATIONS), "new", name], check=False)
            return done.returncode
        case ["up" | "down" | "status" as action]:
            try:
                print(run_dbmate(_owner_dsn(), "migrate" if action == "up" else action), end="")
            except (MigrationError, psycopg.Error) as error:
                print(f"migrate: {error}", file=sys.stderr)
                return 1
            return 0
        case _:
            print(__doc__, file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
