"""The statements that turn jobs over, as Python sees them: calls that succeeded go in, claimed ones come out."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from services.executor.hold_calls import HeldCall, read_claimed
from services.executor.queries.turn_over_jobs import claim_of_lane, turn_over_jobs
from shared.array_text import ArrayText, array_text, quoted_array_text
from shared.db import Connection
from shared.ids import ExecutorId


class Wanted(Struct, frozen=True):
    """What an executor takes."""

    queues: ArrayText
    job_types: ArrayText
    labels: ArrayText

    @classmethod
    def of(cls, *, queues: Sequence[str], job_types: Sequence[str], labels: Sequence[str]) -> "Wanted":
        """Say it for good, so that it need not be put into words for each statement."""
        return cls(quoted_array_text(queues), quoted_array_text(job_types), quoted_array_text(labels))


class Lane(Struct, frozen=True):
    """Jobs of one kind, in their order."""

    lane_id: int
    job_type: str
    queue: str


class Found(Struct, frozen=True):
    """What a statement has recorded and claimed, and what it saw beside that."""

    # How many ends were recorded: if not all, then none may be taken for recorded.
    done: int
    claimed: list[HeldCall]
    # That it claimed from, or wanted to.
    lane: Lane | None
    # How far that lane has been claimed, if it has been up to there.
    last_order: int | None
    # Whether more of that lane was ready and would have had room, but somebody held it, who may take less.
    is_held: bool
    # Whether another lane had something, too.
    others_ready: bool


async def finish_and_claim(
    connection: Connection,
    *,
    ended: Sequence[HeldCall],
    executor_id: ExecutorId,
    marks: Mapping[int, int],
    wanted: Wanted,
    slots: int,
) -> Found:
    """Record that calls succeeded, and claim up to ``slots`` jobs of one lane, each lane from its mark on."""
    told = [held for held in ended if held.result]
    rows = await turn_over_jobs(
        connection,
        done_rows_at=array_text([f'"{held.row_at}"' for held in ended]),
        done_job_ids=array_text([held.id_text for held in ended]),
        done_epochs=array_text([str(held.epoch) for held in ended]),
        result_job_ids=array_text([held.id_text for held in told]),
        results=f"[{','.join([held.result for held in told])}]",
        executor_id=executor_id,
        mark_lane_ids=array_text(map(str, marks)),
        marks=array_text(map(str, marks.values())),
        queues=wanted.queues,
        job_types=wanted.job_types,
        labels=wanted.labels,
        slots=slots,
    )
    first = rows[0]
    return Found(
        first.done,
        [held for row in rows if row.jobs is not None for held in read_claimed(row.jobs)],
        None if first.lane_id is None else Lane(first.lane_id, first.job_type or "", first.queue or ""),
        first.last_order,
        is_held=first.is_held,
        others_ready=bool(first.others_ready),
    )


async def claim_of(connection: Connection, *, lane: Lane, executor_id: ExecutorId, slots: int) -> Found:
    """Claim up to ``slots`` jobs on their own of a lane that is known; it is not looked for anything else."""
    rows = await claim_of_lane(connection, executor_id=executor_id, lane_id=lane.lane_id, slots=slots, queue=lane.queue)
    claimed = [held for row in rows for held in read_claimed(row.jobs)]
    # Nothing: then somebody else was quicker, who may take less.
    is_held = not rows or rows[0].seen > len(claimed)
    return Found(0, claimed, lane, None, is_held=is_held, others_ready=False)
