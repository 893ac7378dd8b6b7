"""From a URL and a commit to a work tree, over a mirror that is made anew when it turns out to be broken."""

import logging
from pathlib import Path

from services.executor.call_git import GitCredential
from services.executor.check_out import check_out
from services.executor.fetch_mirror import Mirror, drop_mirror, fetch_commit
from services.executor.git_errors import MirrorBrokenError
from services.executor.resolve_run_as import RunAs

_log = logging.getLogger(__name__)


async def obtain_work_tree(
    mirrors: Path,
    *,
    url: str,
    ref: str | None,
    commit: str,
    into: Path,
    credential: GitCredential | None = None,
    run_as: RunAs | None = None,
) -> Mirror:
    """`fetch_commit`, then `check_out`; both again, with a new mirror, when the first mirror was broken."""
    mirror = await fetch_commit(mirrors, url=url, ref=ref, commit=commit, credential=credential)
    try:
        await check_out(mirror, commit, into, run_as=run_as)
    except MirrorBrokenError as error:
        _log.warning("a mirror is made anew", extra={"url": url, "reason": str(error)})
        await drop_mirror(mirror)
        mirror = await fetch_commit(mirrors, url=url, ref=ref, commit=commit, credential=credential)
        await check_out(mirror, commit, into, run_as=run_as)
    return mirror
