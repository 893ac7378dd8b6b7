"""Make `.env` for docker-compose.yml: `.env.example` with new secrets where it is empty.

Usage: python3 deploy/write_env.py [FILE]
Needs nothing but Python. What FILE (`.env`, if not named) has already is never changed; only what it lacks is added.
"""

import base64
import secrets
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def fill_in(example: str, present: str = "") -> str:
    """Return what must be added to `present`: the lines of `example`, with secrets made up for its empty variables."""
    known = {name for line in present.splitlines() if (name := variable_of(line))}
    kept = [line for line in example.splitlines() if variable_of(line) not in known]
    if present:
        kept = [line for line in kept if variable_of(line)]
    return "".join(f"{line}{new_secret(line)}\n" for line in kept)


def variable_of(line: str) -> str:
    """Return the variable that a line sets; empty for comments and blank lines."""
    name, equals, _ = line.partition("=")
    return "" if not equals or name.startswith("#") else name.strip()


def new_secret(line: str) -> str:
    """Return a secret for a line that ends with `=`; nothing for others."""
    name, _, value = line.partition("=")
    if not variable_of(line) or value:
        return ""
    if name == "HOWDAH_KEYS":
        return f"k1:{base64.b64encode(secrets.token_bytes(32)).decode()}"
    return secrets.token_urlsafe(24)


def main(arguments: list[str]) -> int:
    """Run as a command; returns the exit status."""
    file = Path(arguments[0]) if arguments else ROOT / ".env"
    present = file.read_text() if file.exists() else ""
    added = fill_in((ROOT / ".env.example").read_text(), present)
    file.touch(mode=0o600)
    with file.open("a") as stream:
        stream.write(("" if present.endswith("\n") or not present else "\n") + added)
    names = [name for line in added.splitlines() if (name := variable_of(line))]
    print(f"{file}: {'added ' + ', '.join(names) if names else 'nothing is missing'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
