"""One claimed job, from its claim to the end that is written down. Whatever happens in between, it ends."""

import logging
import random
from typing import Final

import anyio

from services.executor.attempt_log import AttemptLog
from services.executor.find_failing_line import find_last_line
from services.executor.finish_jobs import AttemptEnd
from services.executor.git_errors import CommitNotFoundError, GitError, InvalidRepositoryError
from services.executor.hold_jobs import HeldJob, Interruption
from services.executor.plan_pipeline import plan_pipeline
from services.executor.run_steps import run_steps
from services.executor.surroundings import Surroundings
from shared.errors import HowdahError
from shared.job_spec import HandlerSpec, PlanSpec, ShellSpec
from shared.logging import log_context
from shared.queries.models import AttemptOutcome

logger = logging.getLogger(__name__)

_RETRY_FIRST_SECONDS: Final = 5.0
_RETRY_MOST_SECONDS: Final = 300.0


async def run_job(held: HeldJob, around: Surroundings) -> None:
    """Run the job, store its log, write down its end, and let go of it."""
    job = held.job
    with log_context(job_id=job.job_id, run_id=job.run_id, epoch=job.epoch):
        log = AttemptLog(
            job.job_id,
            job.epoch,
            job.log_day,
            cap_bytes=around.log_cap_bytes,
            mark_dirty=around.writer.mark_dirty,
        )
        log.when_fenced(lambda: held.interrupt(Interruption.LOST))
        logger.info("job %s begins", job.key)
        end = await _work_in_time(held, log, around)
        if held.interruption is Interruption.LOST:
            log.fence()
        await log.close()
        if held.interruption is Interruption.LOST:
            logger.warning("job %s is not ours any more; its end is not written", job.key)
        else:
            state = await around.finisher.finish(job.job_id, job.epoch, end)
            logger.info("job %s: attempt %s, now %s", job.key, end.outcome, state or "somebody else's")
        around.holdings.remove(held)


async def _work_in_time(held: HeldJob, log: AttemptLog, around: Surroundings) -> AttemptEnd:
    async with anyio.create_task_group() as clock:

        async def interrupt_when_late() -> None:
            await anyio.sleep(held.job.timeout_seconds)
            held.interrupt(Interruption.TIMED_OUT)

        clock.start_soon(interrupt_when_late)
        end = await _work(held, log, around)
        clock.cancel_scope.cancel()
    return _interrupted_end(held, log) or end


async def _work(held: HeldJob, log: AttemptLog, around: Surroundings) -> AttemptEnd:
    try:
        match held.job.spec:
            case PlanSpec():
                end: AttemptEnd | None = None
                with anyio.CancelScope() as scope, held.when_interrupted(scope.cancel):
                    end = await plan_pipeline(held.job, log, around)
                return end or AttemptEnd(AttemptOutcome.CANCELED)
            case ShellSpec() as spec:
                return await run_steps(held, spec, log, around)
            case HandlerSpec():
                raise ValueError("a job of a handler was claimed as a command")
    except (CommitNotFoundError, InvalidRepositoryError) as error:
        return _failed(log, AttemptOutcome.FAILED, error)
    except (GitError, OSError) as error:
        return _failed(log, AttemptOutcome.ERRORED, error, retry_in_seconds=_retry_delay(held.job.epoch))
    except HowdahError as error:
        return _failed(log, AttemptOutcome.ERRORED, error)
    except Exception as error:
        # A fault of ours must not leave the job running for ever, nor take other jobs with it.
        logger.exception("job %s met a fault of the executor", held.job.key)
        return _failed(
            log,
            AttemptOutcome.ERRORED,
            RuntimeError(f"internal error ({type(error).__name__}); see the executor's log"),
        )


def _failed(
    log: AttemptLog, outcome: AttemptOutcome, error: Exception, *, retry_in_seconds: float = -1.0
) -> AttemptEnd:
    message = str(error)
    log.note(message if retry_in_seconds < 0 else f"{message}; may be tried again in {retry_in_seconds:.0f} s")
    return AttemptEnd(outcome, error=message, retry_in_seconds=retry_in_seconds)


def _retry_delay(epoch: int) -> float:
    """Return seconds: exponential with full jitter."""
    ceiling = min(_RETRY_MOST_SECONDS, _RETRY_FIRST_SECONDS * 2 ** min(epoch, 10))
    return random.uniform(1.0, ceiling)  # noqa: S311 - not for secrets


def _interrupted_end(held: HeldJob, log: AttemptLog) -> AttemptEnd | None:
    match held.interruption:
        case None:
            return None
        case Interruption.CANCELED:
            log.note("canceled")
            return AttemptEnd(AttemptOutcome.CANCELED, error="canceled")
        case Interruption.TIMED_OUT:
            message = f"took longer than its timeout of {held.job.timeout_seconds} s"
            log.note(message)
            return AttemptEnd(AttemptOutcome.TIMED_OUT, error=message, failing=find_last_line(log.last_output()))
        case Interruption.LEAVING:
            log.note("this executor is leaving: the job is handed back, and begins anew elsewhere")
            return AttemptEnd(AttemptOutcome.HANDED_BACK, error="the executor left")
        case Interruption.LOST:
            return AttemptEnd(AttemptOutcome.LOST)
