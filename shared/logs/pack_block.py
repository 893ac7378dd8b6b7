"""Blocks: chunks of one attempt that follow one another, compressed together, and exactly as they were. Pure.

A block is two Zstandard frames (RFC 8878) behind a head: first what is known of the chunks, column by column, each
number as the difference to the one before and its bytes by significance, which compresses to a few bytes a chunk; then
their data. Each frame carries its checksum and its size, so that a block is never decoded to something else than was
encoded, nor into more memory than it says.

    head     4 bytes "HLB1", then as little-endian 32-bit numbers: chunks, lines, bytes of data, bytes of the 1st frame
    columns  seq, recorded_at (microseconds since 1970), first_line, size, lines, step, stream + 4 if it continues,
             offsets of the lines. The size is 0 where the chunk is one line, which its data tell; else 1 + bytes
"""

import itertools
import struct
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from shared.errors import DamagedBlockError
from shared.logs.stored_chunk import StoredChunk

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

# Far more than any block has: what claims to be larger is no block of ours.
MOST_BLOCK_BYTES: Final = 16 * 1024 * 1024

_HEAD: Final = struct.Struct("<4sIIII")
_MAGIC: Final = b"HLB1"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
# Letters of `struct` for each column of the chunks.
_COLUMNS: Final = "qqqIIhb"
_OFFSET: Final = "i"
_CONTINUES: Final = 4
_CHECKED: Final = {int(zstd.CompressionParameter.checksum_flag): 1}
_COLUMN_OPTIONS: Final[dict[int, int]] = _CHECKED | {zstd.CompressionParameter.compression_level: 3}
# Logs repeat phrases, and their digits repeat by chance: matches of six bytes or more make them smaller by a twentieth,
# and in less time, than the shorter ones that this level looks for by itself.
_DATA_OPTIONS: Final[dict[int, int]] = _CHECKED | {
    zstd.CompressionParameter.compression_level: 10,
    zstd.CompressionParameter.min_match: 6,
}


def encode_block(chunks: Sequence[StoredChunk]) -> bytes:
    """Return chunks as a block. There must be at least one.

    Raises `ValueError` for more than `MOST_BLOCK_BYTES` of data, and for what no chunk can hold.
    """
    data = b"".join([chunk.data for chunk in chunks])
    if not chunks or len(data) > MOST_BLOCK_BYTES:
        raise ValueError(
            f"a block holds 1 chunk or more, and at most {MOST_BLOCK_BYTES} bytes; not {len(chunks)} and {len(data)}"
        )
    columns: tuple[Iterable[int], ...] = (
        _differences([chunk.seq for chunk in chunks]),
        _differences([(chunk.recorded_at - _EPOCH) // _MICROSECOND for chunk in chunks]),
        _differences([chunk.first_line for chunk in chunks]),
        [_size_of(chunk.data) for chunk in chunks],
        [len(chunk.line_offsets_ms) for chunk in chunks],
        [chunk.step for chunk in chunks],
        [chunk.stream + _CONTINUES * chunk.continues for chunk in chunks],
    )
    offsets = list(itertools.chain.from_iterable(_differences(chunk.line_offsets_ms) for chunk in chunks))
    try:
        parts = [_by_significance(letter, column) for letter, column in zip(_COLUMNS, columns, strict=True)]
        parts.append(_by_significance(_OFFSET, offsets))
    except struct.error as error:
        raise ValueError(f"a chunk holds a number that is out of range: {error}") from error
    columns_together = b"".join(parts)
    if len(columns_together) > MOST_BLOCK_BYTES:
        raise ValueError(f"a block of {len(chunks)} chunks and {len(offsets)} lines would be too large")
    known = zstd.compress(columns_together, options=_COLUMN_OPTIONS)
    head = _HEAD.pack(_MAGIC, len(chunks), len(offsets), len(data), len(known))
    return head + known + zstd.compress(data, options=_DATA_OPTIONS)


class OpenBlock(msgspec.Struct, frozen=True):
    """A block whose data can be read before its chunks are made, one entry of each column for each of them."""

    seqs: tuple[int, ...]
    # Microseconds since 1970.
    recorded_at: tuple[int, ...]
    first_lines: tuple[int, ...]
    # In bytes of the data.
    lengths: tuple[int, ...]
    # How many lines begin in it.
    line_counts: tuple[int, ...]
    steps: tuple[int, ...]
    streams: tuple[int, ...]
    continues: tuple[bool, ...]
    # Of each line, as the difference to the line before in the same chunk.
    offset_differences: tuple[int, ...]
    # Of all chunks.
    data: bytes

    def chunks(self) -> list[StoredChunk]:
        """Return the chunks."""
        rest = iter(self.offset_differences)
        chunks: list[StoredChunk] = []
        position = 0
        for seq, at, first_line, length, lines, step, stream, continues in zip(
            self.seqs,
            self.recorded_at,
            self.first_lines,
            self.lengths,
            self.line_counts,
            self.steps,
            self.streams,
            self.continues,
            strict=True,
        ):
            chunks.append(
                StoredChunk(
                    seq=seq,
                    step=step,
                    stream=stream,
                    first_line=first_line,
                    continues=continues,
                    line_offsets_ms=list(itertools.accumulate(itertools.islice(rest, lines))),
                    recorded_at=_EPOCH + timedelta(microseconds=at),
                    data=self.data[position : position + length],
                )
            )
            position += length
        return chunks


def decode_block(block: bytes) -> list[StoredChunk]:
    """Return the chunks of a block. Raises `DamagedBlockError`."""
    return open_block(block).chunks()


def open_block(block: bytes) -> OpenBlock:
    """Return what is in a block, in a tenth of the time that its chunks take. Raises `DamagedBlockError`."""
    if len(block) < _HEAD.size:
        raise DamagedBlockError(f"a block of {len(block)} bytes is cut off")
    magic, count, line_count, data_bytes, known_bytes = _HEAD.unpack_from(block)
    if magic != _MAGIC:
        raise DamagedBlockError(f"a block begins with {_MAGIC!r}, not with {magic!r}: it may be of a newer version")
    sizes = [struct.calcsize(f"<{letter}") * count for letter in _COLUMNS]
    sizes.append(struct.calcsize(f"<{_OFFSET}") * line_count)
    known = _decompress(block[_HEAD.size : _HEAD.size + known_bytes], sum(sizes))
    data = _decompress(block[_HEAD.size + known_bytes :], data_bytes)
    ends = list(itertools.accumulate(sizes))
    columns = [
        _from_significance(letter, known[end - size : end])
        for letter, size, end in zip(_COLUMNS + _OFFSET, sizes, ends, strict=True)
    ]
    seqs, times, first_lines, chunk_sizes, line_counts, steps, streams, offsets = columns
    lengths = _lengths_of(chunk_sizes, data)
    if len(lengths) != count or sum(lengths) != data_bytes or sum(line_counts) != line_count:
        raise DamagedBlockError("a block's sizes contradict each other")
    return OpenBlock(
        seqs=tuple(itertools.accumulate(seqs)),
        recorded_at=tuple(itertools.accumulate(times)),
        first_lines=tuple(itertools.accumulate(first_lines)),
        lengths=lengths,
        line_counts=line_counts,
        steps=steps,
        streams=tuple([stream % _CONTINUES for stream in streams]),
        continues=tuple([stream >= _CONTINUES for stream in streams]),
        offset_differences=offsets,
        data=data,
    )


def _size_of(data: bytes) -> int:
    return 0 if data.endswith(b"\n") and data.find(b"\n") == len(data) - 1 else len(data) + 1


def _lengths_of(sizes: Sequence[int], data: bytes) -> tuple[int, ...]:
    """Return the chunks' lengths in bytes. Raises `DamagedBlockError`."""
    if not any(sizes):
        return tuple([len(line) + 1 for line in data.split(b"\n")[:-1]])
    lengths: list[int] = []
    position = 0
    for size in sizes:
        end = position + size - 1 if size else data.find(b"\n", position) + 1
        lengths.append(end - position)
        position = end
    if min(lengths) < 0:
        raise DamagedBlockError("a block lacks the end of a line")
    return tuple(lengths)


def _differences(numbers: Sequence[int]) -> list[int]:
    return [later - earlier for later, earlier in zip(numbers, itertools.chain((0,), numbers), strict=False)]


def _by_significance(letter: str, numbers: Iterable[int]) -> bytes:
    """Return the numbers' lowest bytes, then their second ones …: high bytes are mostly the same."""
    column = list(numbers)
    packed = struct.pack(f"<{len(column)}{letter}", *column)
    width = struct.calcsize(f"<{letter}")
    return b"".join(packed[place::width] for place in range(width))


def _from_significance(letter: str, planes: bytes) -> tuple[int, ...]:
    width = struct.calcsize(f"<{letter}")
    count = len(planes) // width
    packed = bytearray(len(planes))
    for place in range(width):
        packed[place::width] = planes[place * count : (place + 1) * count]
    return struct.unpack(f"<{count}{letter}", packed)


def _decompress(frame: bytes, size: int) -> bytes:
    """Return what a frame holds, if that is so many bytes. Raises `DamagedBlockError`."""
    if size > MOST_BLOCK_BYTES:
        raise DamagedBlockError(f"a block says that it holds {size} bytes: none holds more than {MOST_BLOCK_BYTES}")
    try:
        if zstd.get_frame_info(frame).decompressed_size != size:
            raise DamagedBlockError("a block's frame holds another number of bytes than its head says")
        if zstd.get_frame_size(frame) != len(frame):
            raise DamagedBlockError("a block is cut off, or longer than its frames")
        return zstd.decompress(frame)
    except zstd.ZstdError as error:
        raise DamagedBlockError(f"a block's frame cannot be read: {error}") from error
