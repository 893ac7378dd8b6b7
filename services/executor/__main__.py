"""The executor: `python -m services.executor`. What is started here is the reaper; its child is the executor."""

import sys

from services.executor.reap_processes import become_reaped


def main() -> int:
    """Fork, and run the executor in the child; returns its exit status."""
    link = become_reaped("howdah-executor")
    # Only now, in the child: the reaper stays without them, and tiny.
    from functools import partial  # noqa: PLC0415 - see above

    from services.executor.serve import Config, serve  # noqa: PLC0415 - see above
    from shared.run_service import read_config, run_service  # noqa: PLC0415 - see above

    return run_service("executor", read_config("executor", Config), partial(serve, link=link))


if __name__ == "__main__":
    sys.exit(main())
