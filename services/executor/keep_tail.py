"""The last of what a step said, kept as the very chunks that are stored: nothing is copied, or done for each line."""

from collections import deque
from typing import Final

from services.executor.cut_chunks import Chunk

TAIL_BYTES: Final = 256 * 1024


class ChunkTail:
    """Chunks of the newest step: at least the last ``most_bytes`` of it, and at most a chunk more."""

    def __init__(self, *, most_bytes: int = TAIL_BYTES) -> None:
        self._most_bytes = most_bytes
        self._chunks: deque[Chunk] = deque()
        self._weight = 0

    def add(self, chunk: Chunk) -> None:
        """Take the next chunk; the first one of another step begins anew."""
        if chunk.stream == "howdah":
            return
        if self._chunks and self._chunks[-1].step != chunk.step:
            self._chunks.clear()
            self._weight = 0
        self._chunks.append(chunk)
        self._weight += chunk.weight
        while self._weight - self._chunks[0].weight >= self._most_bytes:
            self._weight -= self._chunks.popleft().weight

    def of_step(self, step: int | None) -> list[Chunk]:
        """Return what is kept of a step; of the newest one if none is named."""
        return [chunk for chunk in self._chunks if step is None or chunk.step == step]
