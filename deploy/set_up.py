"""Set Howdah's database up, or bring it up to date: roles, database, migrations. Idempotent.

Usage: python -m deploy.set_up
Settings, each also readable from the file that the same name with _FILE appended names:
    HOWDAH_ADMIN_DATABASE_URL   a superuser's direct connection URI, to any database of the server
    HOWDAH_DATABASE_NAME        what the database is called: howdah, if not set
    HOWDAH_OWNER_PASSWORD       the password that the role howdah_owner gets; and likewise
    HOWDAH_INGEST_PASSWORD, HOWDAH_SCHEDULER_PASSWORD, HOWDAH_EXECUTOR_PASSWORD, HOWDAH_NOTIFIER_PASSWORD,
    HOWDAH_PRODUCER_PASSWORD
"""

import sys
from urllib.parse import quote, urlsplit, urlunsplit

import msgspec
import psycopg

from deploy.bootstrap_roles import OWNER, RolePasswords, bootstrap_roles, create_database
from deploy.migrate import MigrationError, run_dbmate
from shared.config import load_config
from shared.errors import ConfigurationError


class SetUpConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What is needed to know."""

    admin_database_url: str
    database_name: str = "howdah"
    owner_password: str
    ingest_password: str
    scheduler_password: str
    executor_password: str
    notifier_password: str
    producer_password: str

    def passwords(self) -> RolePasswords:
        """Return the password of each role."""
        return RolePasswords(**{name: getattr(self, f"{name}_password") for name in RolePasswords.__struct_fields__})

    def owner_database_url(self) -> str:
        """Return the URI of the owner role: the administrator's server and options, the owner's name and database.

        Raises `ConfigurationError`.
        """
        parts = urlsplit(self.admin_database_url)
        if parts.scheme not in {"postgresql", "postgres"} or not parts.hostname:
            raise ConfigurationError("HOWDAH_ADMIN_DATABASE_URL must be postgresql://user:password@host/database")
        server = parts.netloc.rpartition("@")[2]
        login = f"{OWNER}:{quote(self.owner_password, safe='')}"
        return urlunsplit(parts._replace(netloc=f"{login}@{server}", path=f"/{quote(self.database_name, safe='')}"))


def set_up(config: SetUpConfig) -> None:
    """Make what is missing, and say so.

    Raises `ConfigurationError`, `MigrationError`, `psycopg.Error`.
    """
    owner = config.owner_database_url()
    with psycopg.connect(config.admin_database_url, autocommit=True) as admin:
        bootstrap_roles(admin, config.passwords())
        create_database(admin, config.database_name)
    print(f"set-up: the roles and the database {config.database_name} are there")
    applied = run_dbmate(owner, "migrate")
    print(applied, end="")
    print("set-up: the schema is up to date")


def main() -> int:
    """Run as a command; returns the exit status."""
    try:
        set_up(load_config(SetUpConfig))
    except (ConfigurationError, MigrationError, psycopg.Error) as error:
        print(f"set-up: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
