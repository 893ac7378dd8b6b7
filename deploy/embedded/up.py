"""`make up`: everything on this machine, with its data kept; `--reload` starts a service again when code changes."""

import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rich.console import Console

from deploy.embedded.postgres import EmbeddedPostgresError
from deploy.embedded.stack import ROOT, Stack, StackError, keep_running, run_stack, state_folder
from deploy.migrate import MigrationError

_PORT = 8080
_WATCHED = ("services", "shared")
_DEFAULTS: Final = {"HOWDAH_ALLOW_LOCAL_REPOSITORIES": "true", "HOWDAH_ALLOWED_NETWORKS": "127.0.0.0/8"}
# The stack has its own database and keys, and its services have no business with others.
_NOT_PASSED_ON: Final = ("DATABASE_URL", "PASSWORD", "SEALING_KEYS")


def choose_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of all services: the environment's, and what suits one machine where it says nothing."""
    given = {
        name: value
        for name, value in environ.items()
        if name.startswith("HOWDAH_") and not any(part in name for part in _NOT_PASSED_ON)
    }
    return _DEFAULTS | given


def _restart_on_change(stack: Stack, stopped: threading.Event, console: Console) -> None:
    from watchfiles import PythonFilter, watch  # noqa: PLC0415 - a development dependency

    folders = [ROOT / name for name in _WATCHED]
    for changes in watch(*folders, watch_filter=PythonFilter(), stop_event=stopped):
        paths = {Path(path).relative_to(ROOT) for _, path in changes}
        changed = {path.parts[1] for path in paths if path.parts[0] == "services"}
        shared = any(path.parts[0] == "shared" for path in paths)
        for service in stack.services.values():
            if shared or service.name in changed:
                console.print(f"[dim]changed: {', '.join(sorted(map(str, paths)))}; restarting {service.name}[/]")
                service.stop()
                service.start()


def main(arguments: list[str]) -> int:
    """Run until Ctrl-C; returns the exit status."""
    console = Console(highlight=False, soft_wrap=True)
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    signal.signal(signal.SIGINT, lambda *_: stopped.set())
    state = state_folder()
    try:
        with run_stack(
            state, port=_PORT, settings=choose_settings(os.environ), say=lambda line: console.print(f"[dim]{line}[/]")
        ) as stack:
            new = not (state / "admin-token").exists()
            token = stack.admin_token()
            console.print(f"\nHowdah is up: [bold]{stack.url}[/]   API: {stack.url}/docs   data and logs: {state}")
            if new:
                console.print(f"Sign in with the administrator's token, shown only now: [bold]{token}[/]")
            else:
                console.print(f"The administrator's token is in {state / 'admin-token'}")
            console.print("Ctrl-C stops everything.\n")
            threads = [threading.Thread(target=keep_running, args=(stack, stopped, console.print), daemon=True)]
            if "--reload" in arguments:
                threads.append(threading.Thread(target=_restart_on_change, args=(stack, stopped, console), daemon=True))
            for thread in threads:
                thread.start()
            stopped.wait()
            console.print("\nstopping")
            for thread in threads:
                thread.join()
    except (StackError, EmbeddedPostgresError, MigrationError) as error:
        console.print(f"[red]{error}[/]")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
