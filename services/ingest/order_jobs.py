"""The jobs of a run in columns: each stands right of all that it needs. Pure."""

from collections.abc import Sequence
from graphlib import TopologicalSorter

from services.ingest.find_job import ShownJob
from shared.ids import JobId
from shared.queries.models import JobKind


def order_jobs(jobs: Sequence[ShownJob]) -> list[list[ShownJob]]:
    """Return the columns from left to right; the plan job stands alone in the first. Plans have no cycles."""
    by_id = {job.job_id: job for job in jobs}
    depths: dict[JobId, int] = {}
    for job_id in TopologicalSorter({job.job_id: job.needs for job in jobs}).static_order():
        if job_id in by_id:
            depths[job_id] = _depth(by_id[job_id], depths)
    columns: dict[int, list[ShownJob]] = {}
    for job in jobs:
        columns.setdefault(depths[job.job_id], []).append(job)
    return [columns[depth] for depth in sorted(columns)]


def _depth(job: ShownJob, depths: dict[JobId, int]) -> int:
    """Return how many jobs stand one after the other before this one; those that it needs are known already."""
    if job.kind == JobKind.PLAN:
        return 0
    return 1 + max((depths[need] for need in job.needs if need in depths), default=0)
