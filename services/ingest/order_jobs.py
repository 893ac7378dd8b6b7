"""The jobs of a run in columns: each stands right of all that it needs. Pure."""

from collections.abc import Sequence

from services.ingest.show_jobs import ShownJob
from shared.ids import JobId
from shared.queries.models import JobKind


def order_jobs(jobs: Sequence[ShownJob]) -> list[list[ShownJob]]:
    """Return the columns from left to right; the plan job stands alone in the first."""
    by_id = {job.job_id: job for job in jobs}
    depths: dict[JobId, int] = {}
    for job in jobs:
        _find_depth(job, by_id, depths)
    columns: dict[int, list[ShownJob]] = {}
    for job in jobs:
        columns.setdefault(depths[job.job_id], []).append(job)
    return [columns[depth] for depth in sorted(columns)]


def _find_depth(job: ShownJob, by_id: dict[JobId, ShownJob], depths: dict[JobId, int]) -> int:
    """Return and remember how many jobs stand one after the other before this one. Plans have no cycles."""
    if job.job_id in depths:
        return depths[job.job_id]
    if job.kind == JobKind.PLAN:
        depth = 0
    else:
        depth = 1 + max((_find_depth(by_id[need], by_id, depths) for need in job.needs if need in by_id), default=0)
    depths[job.job_id] = depth
    return depth
