"""What came of one request."""

import msgspec


class Answered(msgspec.Struct, frozen=True):
    """The target answered."""

    status: int
    retry_after_seconds: float | None = None
    # Its beginning.
    body: bytes = b""
    # Whether that is all of it; else it was longer than what is kept, or broke off, or took too long.
    complete: bool = False
    # In the order in which they came, names in lower case.
    headers: tuple[tuple[str, str], ...] = ()


class Failed(msgspec.Struct, frozen=True):
    """There was no answer. The reason holds neither the message nor the address, but its host."""

    reason: str
    # Whether trying again would come to the same.
    for_good: bool = False


Outcome = Answered | Failed
