"""Issue an API token at set-up, when there is none yet to ask with; the token alone is printed, once.

Usage: python -m services.ingest.issue_token --name NAME --role viewer|developer|admin
Reads HOWDAH_DATABASE_URL (or HOWDAH_DATABASE_URL_FILE): whoever has it may issue tokens anyway.
"""

import argparse
import re
import sys

import anyio

from services.ingest.check_token import NewToken, make_token
from services.ingest.clean_text import LINE_PATTERN
from services.ingest.enter_token import enter_token
from shared.config import ServiceConfig, load_config
from shared.db import Connection, in_transaction, open_pool
from shared.errors import HowdahError
from shared.queries.models import TokenRole


async def _issue(config: ServiceConfig, name: str, role: TokenRole) -> NewToken:
    token = make_token()

    async def enter(connection: Connection) -> None:
        await enter_token(connection, token, name=name, role=role, issued_by="set-up", expires_at=None)

    async with open_pool(
        config.database_url, name="howdah-issue-token", max_size=1, prepare_statements=config.prepare_statements
    ) as pool:
        await in_transaction(pool, enter)
    return token


def _token_name(text: str) -> str:
    if not re.match(LINE_PATTERN, text):
        raise argparse.ArgumentTypeError("one line of at most 200 characters")
    return text


def main() -> int:
    """Run as a command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m services.ingest.issue_token", description=__doc__)
    parser.add_argument("--name", required=True, type=_token_name, help="for whom or what the token is")
    parser.add_argument("--role", required=True, choices=[role.value for role in TokenRole])
    arguments = parser.parse_args()
    try:
        token = anyio.run(_issue, load_config(ServiceConfig), arguments.name, TokenRole(arguments.role))
    except HowdahError as error:
        sys.stderr.write(f"no token was issued: {error}\n")
        return 1
    sys.stdout.write(f"{token.text}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
