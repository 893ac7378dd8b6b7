"""The plan job: bring the commit here, and find out what its pipeline file says."""

import logging
from functools import partial

from services.executor.attempt_log import AttemptLog
from services.executor.await_both import await_both
from services.executor.call_git import GitCredential
from services.executor.fetch_mirror import Mirror, drop_mirror, fetch_commit
from services.executor.finish_jobs import AttemptEnd
from services.executor.git_errors import MirrorBrokenError
from services.executor.parse_frames import Refused
from services.executor.queries.claim_jobs import ClaimJobsRow
from services.executor.read_commit import CommitHead, read_commit
from services.executor.read_mirror import list_changed_paths, read_blob
from services.executor.resolve_ref import resolve_ref
from services.executor.surroundings import Surroundings
from shared.pipeline.definition import Pipeline
from shared.plan_result import PlanResult
from shared.queries.models import AttemptOutcome

logger = logging.getLogger(__name__)


async def plan_pipeline(job: ClaimJobsRow, log: AttemptLog, around: Surroundings) -> AttemptEnd:
    """Return how the plan ended; a file that is missing or broken is a failure for good.

    Raises `GitError`, `SealError`, `LoaderUnavailableError`.
    """
    if job.repository_url is None or job.ref is None or job.file_path is None:
        raise ValueError(f"plan job {job.job_id} belongs to no run")
    credential = around.git_credential(job)
    commit = job.commit_sha
    if commit is None:
        log.note(f"asking {job.repository_url} for {job.ref}")
        commit = await resolve_ref(around.mirrors, url=job.repository_url, ref=job.ref, credential=credential)
    log.note(f"fetching {commit} from {job.repository_url}")
    try:
        return await _plan_commit(job, commit, log, around, credential)
    except MirrorBrokenError as error:
        logger.warning("a mirror is made anew: %s", error)
        await drop_mirror(await _fetch(job, commit, around, credential))
        return await _plan_commit(job, commit, log, around, credential)


async def _fetch(job: ClaimJobsRow, commit: str, around: Surroundings, credential: GitCredential | None) -> Mirror:
    return await fetch_commit(
        around.mirrors, url=job.repository_url or "", ref=job.ref, commit=commit, credential=credential
    )


async def _plan_commit(
    job: ClaimJobsRow, commit: str, log: AttemptLog, around: Surroundings, credential: GitCredential | None
) -> AttemptEnd:
    mirror = await _fetch(job, commit, around, credential)
    # Two git processes, neither of which needs the other's answer; whoever pushed waits for both.
    loaded, changed_paths = await await_both(
        partial(_load, job, mirror, commit, around), partial(_list_changes, job, mirror, commit)
    )
    if isinstance(loaded, Refused):
        log.note(loaded.message)
        return AttemptEnd(AttemptOutcome.FAILED, error=loaded.message)
    head = await _head(job, mirror, commit)
    log.note(f"{job.file_path}: {len(loaded.jobs)} jobs")
    return AttemptEnd(
        AttemptOutcome.SUCCEEDED,
        exit_code=0,
        result=PlanResult(
            commit=commit, title=head.title, author=head.author, pipeline=loaded, changed_paths=changed_paths
        ),
    )


async def _load(job: ClaimJobsRow, mirror: Mirror, commit: str, around: Surroundings) -> Pipeline | Refused:
    file_path = job.file_path or ""
    source = await read_blob(mirror, commit, file_path)
    if source is None:
        return Refused(
            f"{file_path}: there is no such file at commit {commit[:12]}; add one, see docs/pipeline-file.md"
        )
    return await around.loader.load(source, filename=file_path)


async def _list_changes(job: ClaimJobsRow, mirror: Mirror, commit: str) -> list[str] | None:
    return None if job.before_sha is None else await list_changed_paths(mirror, job.before_sha, commit)


async def _head(job: ClaimJobsRow, mirror: Mirror, commit: str) -> CommitHead:
    if job.title and job.author and job.event != "manual":
        return CommitHead(title=job.title, author=job.author)
    return await read_commit(mirror, commit)
