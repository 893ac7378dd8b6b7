"""The lines that are in chunks, as a reader sees them. Pure."""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from services.executor.cut_chunks import Chunk, ChunkStream
from shared.logs.strip_ansi import plain_text

# Of one line. What is behind that tells nothing about an error.
_LINE_BYTES: Final = 4096


class Line(Struct, frozen=True):
    """A line without its end, without control sequences; of a line that was overwritten, what was left to see."""

    number: int
    is_stderr: bool
    text: str


def join_lines(chunks: Iterable[Chunk], *, most_lines: int) -> list[Line]:
    """Return the last ``most_lines`` lines of consecutive chunks of one step, in the order of their numbers.

    A line whose beginning is not in the chunks is left out.
    """
    whole: list[tuple[int, bool, bytes]] = []
    unfinished: dict[ChunkStream, tuple[int, list[bytes]]] = {}
    for chunk in chunks:
        is_stderr = chunk.stream == "stderr"
        head, rest = b"", chunk.data
        if chunk.continues:
            end = rest.find(b"\n") + 1 or len(rest)
            head, rest = rest[:end], rest[end:]
        if head and chunk.stream in unfinished:
            number, parts = unfinished[chunk.stream]
            parts.append(head)
            if head.endswith(b"\n"):
                whole.append((number, is_stderr, b"".join(parts)))
                del unfinished[chunk.stream]
        if not rest:
            continue
        *lines, last = rest.split(b"\n")
        whole += [(chunk.first_line + index, is_stderr, line) for index, line in enumerate(lines)]
        if last:
            unfinished[chunk.stream] = (chunk.first_line + len(lines), [last])
        # More than can be of use is not kept while further chunks are looked at.
        del whole[: -2 * most_lines]
    whole += [(number, stream == "stderr", b"".join(parts)) for stream, (number, parts) in unfinished.items()]
    whole.sort()
    return [Line(number, is_stderr, _visible(data)) for number, is_stderr, data in whole[-most_lines:]]


def _visible(data: bytes) -> str:
    """Return what stands there in the end: a carriage return goes back to the beginning of the line."""
    return plain_text(data.rstrip(b"\r\n").rpartition(b"\r")[2][:_LINE_BYTES]).rstrip()
