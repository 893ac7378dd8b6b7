"""The attempt whose log is asked for: the latest, unless another is named; and whether that log is still kept."""

from functools import partial
from typing import Annotated, Final

from litestar.params import QueryParameter

from services.ingest.problem_details import Problem, not_found
from services.ingest.queries.logs import is_log_kept
from services.ingest.read_log_states import AttemptLog, LogState, read_states
from shared.db import Pool, query
from shared.ids import JobId

_MOST_EPOCH: Final = 2**31 - 1

AttemptParameter = Annotated[
    int | None, QueryParameter(ge=1, le=_MOST_EPOCH, description="The attempt's epoch; the latest without it.")
]


async def find_log_state(pool: Pool, job_id: JobId) -> LogState:
    """Return how far the log of a job goes. Raises `Problem` and `DatabaseUnavailableError`."""
    state = (await read_states(pool, [job_id])).get(job_id)
    if state is None:
        raise not_found("job of that id")
    return state


async def find_attempt(pool: Pool, job_id: JobId, epoch: int | None) -> AttemptLog | None:
    """Return an attempt, the latest if none is named; None: there is none yet. Raises as `find_log_state` does."""
    return choose_attempt(await find_log_state(pool, job_id), epoch)


def choose_attempt(state: LogState, epoch: int | None) -> AttemptLog | None:
    """Return an attempt, the latest if none is named. Raises `Problem`."""
    if epoch is None:
        return state.attempts[-1] if state.attempts else None
    found = state.attempt(epoch)
    if found is None:
        raise not_found(f"attempt {epoch} of that job")
    return found


async def find_kept_log(pool: Pool, job_id: JobId, epoch: int | None) -> AttemptLog | None:
    """Return an attempt that has written something; None: nothing was written. Raises `Problem` if it is not kept."""
    chosen = await find_attempt(pool, job_id, epoch)
    if chosen is None or not chosen.last_seq:
        return None
    if not await query(pool, partial(is_log_kept, log_day=chosen.day, job_id=job_id, epoch=chosen.epoch)):
        raise Problem(410, "log-removed", "The log is older than logs of its kind are kept: it has been removed.")
    return chosen
