"""What came of one try."""

import msgspec


class Answered(msgspec.Struct, frozen=True):
    """The target answered."""

    status: int
    retry_after_seconds: float | None = None
    # Its beginning.
    body: bytes = b""


class Failed(msgspec.Struct, frozen=True):
    """There was no answer. The reason holds neither the message nor the address."""

    reason: str
    # Whether trying again would come to the same.
    for_good: bool = False


Outcome = Answered | Failed
