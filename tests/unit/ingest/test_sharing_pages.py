"""Shared pages: whatever the cursor, a page that is found goes on right behind it; memory stays bounded."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.share_pages import Cursor, SharedPages


class Stretch(msgspec.Struct, frozen=True):
    after: Cursor
    last: Cursor
    size: int = 10


def stretch(after: int, last: int, size: int = 10) -> Stretch:
    return Stretch((1, after), (1, last), size)


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 40), st.integers(1, 15), st.integers(1, 60)), max_size=40)
)
def test_pages_are_right_and_bounded_whatever_is_put(puts: list[tuple[str, int, int, int]]) -> None:
    pages: SharedPages[Stretch] = SharedPages(most_bytes=200, most_feed_bytes=120)
    for key, after, length, size in puts:
        pages.put(key, stretch(after, after + length, size))
        assert pages.size <= 200 or pages.find(key, (1, after)) is not None
        for other in "ab":
            for cursor in range(60):
                found = pages.find(other, (1, cursor))
                assert found is None or found.after <= (1, cursor) < found.last
                beyond = pages.next_start(other, (1, cursor))
                assert beyond is None or beyond > (1, cursor)
        assert pages.find(key, (1, after)) is not None, "what was put last is there"


def test_the_page_goes_first_that_was_not_used_for_longest() -> None:
    pages: SharedPages[Stretch] = SharedPages(most_bytes=30, most_feed_bytes=30)
    for start in range(3):
        pages.put("a", stretch(start, start + 1))
    assert pages.find("a", (1, 0)) is not None
    pages.put("a", stretch(3, 4))
    assert pages.find("a", (1, 0)) is not None
    assert pages.find("a", (1, 1)) is None


def test_feeds_share_what_there_is_in_all() -> None:
    pages: SharedPages[Stretch] = SharedPages(most_bytes=50, most_feed_bytes=40)
    for key in range(200):
        pages.put(key, stretch(0, 1))
    assert pages.size == 50
    assert [key for key in range(200) if pages.find(key, (1, 0))] == [195, 196, 197, 198, 199]


def test_a_page_that_covers_others_replaces_them() -> None:
    pages: SharedPages[Stretch] = SharedPages()
    pages.put("a", stretch(2, 4))
    pages.put("a", stretch(4, 6))
    pages.put("a", stretch(0, 8))
    assert pages.find("a", (1, 4)) == stretch(0, 8)
    assert pages.size == 10
