"""A block is exactly the chunks that went into it, and what is not a block is refused."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import DamagedBlockError
from shared.logs.pack_block import MOST_BLOCK_BYTES, decode_block, encode_block
from shared.logs.stored_chunk import StoredChunk
from tests.stored_logs import START, make_chunks

MOST = 2**63 - 1
CHUNKS = st.builds(
    StoredChunk,
    seq=st.integers(0, MOST),
    step=st.integers(-1, 2**15 - 1),
    stream=st.integers(0, 2),
    first_line=st.integers(0, MOST),
    continues=st.booleans(),
    line_offsets_ms=st.lists(st.integers(0, 2**31 - 1), max_size=5),
    recorded_at=st.datetimes(timezones=st.just(UTC)),
    data=st.binary(max_size=100),
)


@given(st.lists(CHUNKS, min_size=1, max_size=20))
def test_what_is_decoded_is_what_was_encoded(chunks: list[StoredChunk]) -> None:
    assert decode_block(encode_block(chunks)) == chunks


@given(st.data())
def test_a_changed_byte_is_noticed(data: st.DataObject) -> None:
    block = encode_block(make_chunks([(0, 1, b"one\ntwo\n"), (0, 2, b"three"), (1, 2, b"four\n")]))
    place = data.draw(st.integers(0, len(block) - 1))
    changed = bytearray(block)
    changed[place] ^= data.draw(st.integers(1, 255))
    try:
        decoded = decode_block(bytes(changed))
    except DamagedBlockError:
        return
    # Zstandard has bits that mean nothing.
    assert encode_block(decoded) == block


@given(st.data())
def test_a_block_that_is_cut_off_or_goes_on_is_refused(data: st.DataObject) -> None:
    block = encode_block(make_chunks([(0, 1, b"one\ntwo\n")]))
    length = data.draw(st.integers(0, len(block) - 1))
    for wrong in (block[:length], block + block[:length] + b"x"):
        with pytest.raises(DamagedBlockError):
            decode_block(wrong)


@given(st.binary(max_size=200))
def test_what_is_no_block_is_refused(data: bytes) -> None:
    with pytest.raises(DamagedBlockError):
        decode_block(data)


def test_a_block_of_a_newer_kind_is_refused_with_a_hint() -> None:
    block = encode_block(make_chunks([(0, 1, b"one\n")]))
    with pytest.raises(DamagedBlockError, match="newer version"):
        decode_block(b"HLB2" + block[4:])


def test_a_block_that_claims_to_be_huge_is_refused_before_memory_is_taken() -> None:
    block = encode_block(make_chunks([(0, 1, b"one\n")]))
    huge = (2**31).to_bytes(4, "little")
    for place in (4, 8, 12):
        with pytest.raises(DamagedBlockError):
            decode_block(block[:place] + huge + block[place + 4 :])


def test_a_block_of_nothing_or_of_too_much_is_not_made() -> None:
    (chunk,) = make_chunks([(0, 1, b"x" * 1024 * 1024)])
    with pytest.raises(ValueError, match="1 chunk or more"):
        encode_block([])
    with pytest.raises(ValueError, match=str(MOST_BLOCK_BYTES)):
        encode_block([chunk] * 17)


def test_a_number_that_no_chunk_can_hold_is_named() -> None:
    with pytest.raises(ValueError, match="out of range"):
        encode_block([StoredChunk(1, 2**15, 1, 0, False, [0], START, b"x")])


def test_times_keep_their_microseconds() -> None:
    at = datetime(2026, 11, 25, 12, 0, 0, 123457, tzinfo=UTC)
    (chunk,) = decode_block(encode_block([StoredChunk(1, 0, 1, 0, False, [0], at, b"x")]))
    assert chunk.recorded_at == at


def test_chunks_of_one_line_each_tell_their_length_by_themselves() -> None:
    lines = [b"line %d\n" % number for number in range(1000)]
    pieces = [(0, 1, line) for line in lines]
    alone = make_chunks(pieces)
    assert decode_block(encode_block(alone)) == alone
    among_others = make_chunks([(0, 1, b"two\nlines\n"), *pieces, (0, 2, b"no end")])
    assert decode_block(encode_block(among_others)) == among_others
