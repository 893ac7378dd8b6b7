"""Notices as the scheduler writes them."""

from datetime import UTC, datetime
from uuid import UUID

from shared.notice import JobNotice, Notice

RUN_ID = UUID("01930000-0000-7000-8000-000000000041")
JOB_ID = UUID("01930000-0000-7000-8000-000000000042")
PAGE_URL = f"https://ci.example.org/runs/{RUN_ID}"
HAPPENED_AT = datetime(2026, 11, 23, 12, 2, 5, tzinfo=UTC)

FAILED_TEST = JobNotice(
    id=JOB_ID,
    key="test",
    state="failed",
    exit_code=2,
    error=None,
    failing_line=41,
    failing_text="src/pump.c:41:9: error: 'lenght' undeclared (did you mean <length>?)",
)
FAILED_LINT = JobNotice(
    id=UUID("01930000-0000-7000-8000-000000000043"),
    key="lint",
    state="failed",
    exit_code=None,
    error="timed out after 20 min & was <killed>",
)


def make_notice(
    *,
    state: str = "succeeded",
    reason: str | None = None,
    title: str = "Fix the roof & <doors>",
    author: str = "Ada Lovelace",
    branch: str | None = "main",
    job: JobNotice | None = None,
    failed_jobs: list[JobNotice] | None = None,
    finished_at: datetime | None = HAPPENED_AT,
) -> Notice:
    return Notice(
        pipeline="app",
        run_id=RUN_ID,
        run_number=41,
        state=state,
        reason=reason,
        event="push",
        ref="refs/heads/main",
        branch=branch,
        commit="1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d",
        title=title,
        author=author,
        created_at=datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC),
        started_at=datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC),
        finished_at=finished_at,
        job=job,
        failed_jobs=failed_jobs or [],
    )


NOTICES = {
    "run.succeeded": make_notice(),
    "run.failed": make_notice(state="failed", failed_jobs=[FAILED_TEST, FAILED_LINT]),
    "job.failed": make_notice(state="running", job=FAILED_TEST, failed_jobs=[FAILED_TEST], finished_at=None),
    "run.canceled": make_notice(state="canceled", reason="canceled"),
}
