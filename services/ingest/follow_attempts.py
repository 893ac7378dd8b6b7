"""Where a reader of a job's log goes on: through one attempt after the other."""

from services.ingest.read_log_states import AttemptLog, LogState
from services.ingest.row_cursor import ChunkCursor


def next_attempt(state: LogState, cursor: ChunkCursor) -> tuple[AttemptLog | None, ChunkCursor]:
    """Return the attempt to read on in, and from where.

    One that has ended and was delivered is left, if there is a next one; one that has not ended never is.
    """
    current = state.attempt(cursor.epoch)
    while current is None or (current.ended and cursor.seq >= current.last_seq):
        following = state.attempt_after(cursor.epoch)
        if following is None:
            return current, cursor
        current, cursor = following, ChunkCursor(following.epoch, 0)
    return current, cursor


def is_over(state: LogState) -> bool:
    """Whether nothing will be added to the log any more."""
    return state.final and all(attempt.ended for attempt in state.attempts)
