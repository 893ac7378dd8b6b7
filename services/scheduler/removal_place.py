"""Where in a log the removal of its chunks goes on."""

from typing import Final

from shared.ids import JobId

# Another scheduler may bring a log to its end: what is remembered of it is then asked for by nobody, and has to go.
_MOST_LOGS: Final = 100


class RemovalPlace:
    """Remembers, of those logs that were last begun and not ended, up to where their chunks are removed.

    Removed rows stay at the front of the index until they are cleaned up: who began there again would pass through all
    of them each time. What is forgotten costs time, and nothing else.
    """

    def __init__(self) -> None:
        self._seqs: dict[tuple[JobId, int], int] = {}

    def after(self, job_id: JobId, epoch: int) -> int:
        """Return the number of the chunk behind which to go on."""
        return self._seqs.get((job_id, epoch), 0)

    def went(self, job_id: JobId, epoch: int, last_seq: int | None) -> None:
        """Note up to where it went; None: to the end."""
        self._seqs.pop((job_id, epoch), None)
        if last_seq is not None:
            self._seqs[job_id, epoch] = last_seq
            if len(self._seqs) > _MOST_LOGS:
                del self._seqs[next(iter(self._seqs))]
