"""What `load_definition` and its child say to each other: JSON in frames, each with its length in front."""

from msgspec import Raw, Struct

LENGTH_BYTES = 4
# Far more than any definition takes (a pipeline file has at most 256 KiB).
FRAME_LIMIT = 64 * 1024 * 1024


class ParseRequest(Struct, frozen=True):
    """A pipeline file to load. ``source`` is base64 on the wire, so that any bytes come through."""

    source: bytes
    filename: str


class Ready(Struct, frozen=True, tag="ready"):
    """The child has imported the loader and waits for requests."""


class Loaded(Struct, frozen=True, tag="loaded"):
    """The file is valid; ``pipeline`` is its definition."""

    pipeline: Raw


class Refused(Struct, frozen=True, tag="refused"):
    """The file is not valid; ``message`` tells its author why and where."""

    message: str


class Failed(Struct, frozen=True, tag="failed"):
    """The loader itself failed: a fault of ours, or a file that is meant to make it fail."""

    detail: str


Reply = Ready | Loaded | Refused | Failed


def frame(payload: bytes) -> bytes:
    """Put the length of the payload in front of it (big-endian)."""
    return len(payload).to_bytes(LENGTH_BYTES, "big") + payload
