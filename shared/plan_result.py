"""What a plan job finds out, as stored in `attempt.result`."""

import msgspec

from shared.pipeline.definition import Pipeline


class PlanResult(msgspec.Struct, frozen=True):
    """The commit, as the mirror resolved it, and the pipeline file that it carries."""

    commit: str
    title: str
    author: str
    pipeline: Pipeline
    # Paths that the push changed; null when there is no earlier commit to compare with.
    changed_paths: list[str] | None
