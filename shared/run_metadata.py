"""What a handler learns of the run that its job belongs to, as `JobContext.metadata`."""

import msgspec


class RunMetadata(msgspec.Struct, frozen=True):
    """The run, and what it builds."""

    pipeline: str
    run_id: str
    run_number: int
    event: str
    ref: str
    branch: str | None
    commit: str | None
