"""`Range`: one range of bytes is answered, what is malformed is ignored, and what is not there is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.parse_range import UnsatisfiableRangeError, parse_range


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=2-5", (2, 6)),
        ("bytes=2-", (2, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-30", (0, 10)),
        ("bytes=5-500", (5, 10)),
        ("Bytes= 1-2 ", (1, 3)),
    ],
)
def test_a_single_range_is_understood(header: str, expected: tuple[int, int]) -> None:
    assert parse_range(header, 10) == expected


@pytest.mark.parametrize(
    "header",
    [
        None, "", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-2", "lines=1-2", "bytes=0-1,3-4", "bytes=1",
        f"bytes={'9' * 40}-", "bytes=²-3",
    ],
)  # fmt: skip
def test_what_is_no_single_range_of_bytes_is_ignored(header: str | None) -> None:
    assert parse_range(header, 10) is None


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-20", "bytes=-0"])
def test_a_range_behind_the_end_is_refused(header: str) -> None:
    with pytest.raises(UnsatisfiableRangeError):
        parse_range(header, 10)


def test_of_nothing_there_is_no_range() -> None:
    for header in ("bytes=0-", "bytes=-1"):
        with pytest.raises(UnsatisfiableRangeError):
            parse_range(header, 0)


@given(st.binary(max_size=30), st.integers(0, 40), st.integers(0, 40))
def test_a_range_is_what_it_names(data: bytes, first: int, last: int) -> None:
    try:
        part = parse_range(f"bytes={first}-{last}", len(data))
    except UnsatisfiableRangeError:
        assert data[first : last + 1] == b""
        return
    if part is not None:
        assert data[part.start : part.end] == data[first : last + 1]
    else:
        assert last < first
