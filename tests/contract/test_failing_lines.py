"""The failing line: stored with the end of the attempt that it explains, and of no other."""

from services.executor.finish_jobs import AttemptEnd, FailingLine
from shared.ids import JobId
from shared.queries.models import AttemptOutcome
from tests.engine import SUCCEEDED, Engine

FAILED = AttemptEnd(AttemptOutcome.FAILED, exit_code=1, failing=FailingLine(41, "error: it does not fit"))


def failing_lines(engine: Engine, job_id: JobId) -> list[tuple[object, ...]]:
    return engine.sql("select failing_line, failing_text from attempt where job_id = %s order by epoch", job_id)


async def test_the_failing_line_is_stored_with_the_end(engine: Engine) -> None:
    await engine.start_run({"a": [], "b": []})
    executor = await engine.add_executor()
    first, second = await engine.claim(executor)
    await engine.finish(executor, first, FAILED)
    await engine.finish(executor, second, SUCCEEDED)
    assert failing_lines(engine, first.job_id) == [(41, "error: it does not fit")]
    assert failing_lines(engine, second.job_id) == [(None, None)]


async def test_each_attempt_has_its_own(engine: Engine) -> None:
    await engine.start_run({"a": []}, max_attempts=2)
    executor = await engine.add_executor()
    (job,) = await engine.claim(executor)
    again = AttemptEnd(AttemptOutcome.ERRORED, retry_in_seconds=0, failing=FailingLine(0, "no network"))
    await engine.finish(executor, job, again)
    engine.sql("update job set state = 'ready' where id = %s", job.job_id)
    (job,) = await engine.claim(executor)
    await engine.finish(executor, job, SUCCEEDED)
    assert failing_lines(engine, job.job_id) == [(0, "no network"), (None, None)]
