"""What it takes of memory to keep a chunk at hand, together with the events that are made of it. Pure."""

from typing import Final

from services.ingest.queries.logs import StreamLogChunksRow
from shared.logs.stored_chunk import StoredChunk

_CHUNK_COST: Final = 900
# It is there as it came, and in the events of up to three kinds of streams.
_BYTE_COST: Final = 4
# Its time, as a number and in every event; and its end, which JSON escapes.
_LINE_COST: Final = 48
# JSON needs six bytes for each.
_CONTROL_COST: Final = 18
_CONTROLS: Final = bytes(code for code in (*range(0x20), 0x7F) if code != 0x0A)


def cost_of(chunk: StoredChunk | StreamLogChunksRow) -> int:
    """Return about how many bytes of memory a chunk takes at most."""
    size = len(chunk.data)
    controls = size - len(chunk.data.translate(None, _CONTROLS))
    return _CHUNK_COST + size * _BYTE_COST + len(chunk.line_offsets_ms) * _LINE_COST + controls * _CONTROL_COST
