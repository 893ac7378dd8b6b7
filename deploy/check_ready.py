"""The health check of ingest's image: asks its `/ready`, which asks the database.

Usage: python -m deploy.check_ready
Exit status 0 says that it is ready; otherwise the reason is printed. Imports little, since it runs every few seconds.
"""

import http.client
import os
import sys

_SECONDS = 4


def main() -> int:
    """Run as a command; returns the exit status."""
    port = int(os.environ.get("HOWDAH_LISTEN_PORT", "8080"))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    try:
        connection.request("GET", "/ready")
        answer = connection.getresponse()
        print(answer.read().decode(errors="replace"))
    except (OSError, http.client.HTTPException) as error:
        print(f"no answer from /ready: {error}")
        return 1
    finally:
        connection.close()
    return 0 if answer.status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
