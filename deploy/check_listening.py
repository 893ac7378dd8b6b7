"""The health check of services without a port: asks the database whether the service listens to it from here.

Usage: python -m deploy.check_listening scheduler | notifier
Exit status 0 says so; otherwise the reason is printed. A service whose database is away, or that hangs, does not
listen: the listener keeps asking for signs of life. Replicas that the database sees under one address vouch for each
other.
"""

import sys
from typing import Final

import psycopg

from shared.config import ServiceConfig, load_config
from shared.errors import ConfigurationError

_SECONDS: Final = 4

_LISTENS: Final = """
select exists (
    select from pg_stat_activity
    where datname = current_database()
        and application_name = %s
        and client_addr is not distinct from inet_client_addr()
)
"""


def main(arguments: list[str]) -> int:
    """Run as a command; returns the exit status."""
    match arguments:
        case ["scheduler" | "notifier" as service]:
            name = f"howdah-{service}-listen"
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    try:
        dsn = load_config(ServiceConfig).listen_url()
        with psycopg.connect(dsn, autocommit=True, connect_timeout=_SECONDS) as connection:
            listens = connection.execute(_LISTENS, [name]).fetchone() == (True,)
    except (ConfigurationError, psycopg.Error) as error:
        print(error)
        return 1
    print(f"{name}: {'connected' if listens else 'not connected'}")
    return 0 if listens else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
