"""What the plugin refuses. sqlc shows the message to whoever ran it."""

from collections.abc import Iterable


class CodegenError(Exception):
    """A query or an option cannot become code; the message says where, what, and what to write instead."""


class CollectedCodegenError(CodegenError):
    """Several of them: one run reports all that it finds."""

    def __init__(self, errors: Iterable[CodegenError]) -> None:
        super().__init__("\n".join(str(error) for error in errors))
