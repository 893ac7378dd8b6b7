"""Pages of streams, kept for a while for all who read the same: one read of the database serves them all.

A page is found by the cursors that it covers, so that a reader with an odd cursor is back on everybody's pages at the
next one. Memory is bounded, for each feed and in all; the pages go first that nobody has used for longest.
"""

from bisect import bisect_right, insort
from collections import OrderedDict
from collections.abc import Hashable
from typing import Final, Generic, Protocol, TypeVar

import anyio

Cursor = tuple[int, int]


class Page(Protocol):
    """What lies beyond the cursor `after`, up to `last`; `size` is what it costs, in bytes."""

    @property
    def after(self) -> Cursor:
        """Where it begins."""

    @property
    def last(self) -> Cursor:
        """Where it ends."""

    @property
    def size(self) -> int:
        """What it costs."""


PageT = TypeVar("PageT", bound=Page)

MOST_BYTES: Final = 24 * 1024 * 1024
MOST_FEED_BYTES: Final = 6 * 1024 * 1024


class _Feed(Generic[PageT]):
    """The pages of one feed, by where they begin; in `pages`, those last that were used last."""

    def __init__(self) -> None:
        self.starts: list[Cursor] = []
        self.pages: OrderedDict[Cursor, PageT] = OrderedDict()
        self.size = 0
        self.lock = anyio.Lock()


class SharedPages(Generic[PageT]):
    """Pages of many feeds. Whoever misses one takes the feed's `lock`, looks again, reads it, and puts it here."""

    def __init__(self, *, most_bytes: int = MOST_BYTES, most_feed_bytes: int = MOST_FEED_BYTES) -> None:
        self._most_bytes = most_bytes
        self._most_feed_bytes = most_feed_bytes
        self._feeds: dict[Hashable, _Feed[PageT]] = {}
        # Of all feeds' pages, those last that were used last.
        self._used: OrderedDict[tuple[Hashable, Cursor], None] = OrderedDict()
        self.size = 0

    def find(self, key: Hashable, cursor: Cursor) -> PageT | None:
        """Return a page that goes on beyond the cursor, and begins at or before it."""
        feed = self._feeds.get(key)
        place = bisect_right(feed.starts, cursor) if feed is not None else 0
        if feed is None or place == 0:
            return None
        page = feed.pages[feed.starts[place - 1]]
        if page.last <= cursor:
            return None
        feed.pages.move_to_end(page.after)
        self._used.move_to_end((key, page.after))
        return page

    def next_start(self, key: Hashable, cursor: Cursor) -> Cursor | None:
        """Return where the first page begins that lies beyond the cursor: nothing need be read further than that."""
        feed = self._feeds.get(key)
        if feed is None:
            return None
        place = bisect_right(feed.starts, cursor)
        return feed.starts[place] if place < len(feed.starts) else None

    def lock(self, key: Hashable) -> anyio.Lock:
        """Return what allows one reader of a feed at a time to read the database."""
        return self._feeds.setdefault(key, _Feed()).lock

    def put(self, key: Hashable, page: PageT) -> None:
        """Keep a page; those that it covers, and those for which there is no room any more, are forgotten."""
        feed = self._feeds.setdefault(key, _Feed())
        place = bisect_right(feed.starts, page.after)
        if place and feed.starts[place - 1] == page.after:
            place -= 1
        while place < len(feed.starts) and feed.pages[feed.starts[place]].last <= page.last:
            self._forget(key, feed, feed.starts[place])
        if page.after in feed.pages:  # a longer one from the same place
            return
        insort(feed.starts, page.after)
        feed.pages[page.after] = page
        self._used[key, page.after] = None
        feed.size += page.size
        self.size += page.size
        while feed.size > self._most_feed_bytes and len(feed.starts) > 1:
            self._forget(key, feed, next(start for start in feed.pages if start != page.after))
        while self.size > self._most_bytes and len(self._used) > 1:
            other, start = next(iter(self._used))
            self._forget(other, self._feeds[other], start)
        self._sweep()

    def _forget(self, key: Hashable, feed: _Feed[PageT], start: Cursor) -> None:
        page = feed.pages.pop(start)
        del feed.starts[bisect_right(feed.starts, start) - 1]
        del self._used[key, start]
        feed.size -= page.size
        self.size -= page.size

    def _sweep(self) -> None:
        """Forget feeds without pages, but those that somebody is about to fill."""
        if len(self._feeds) <= 2 * len(self._used) + 64:
            return
        for key in [key for key, feed in self._feeds.items() if not feed.starts and not feed.lock.locked()]:
            del self._feeds[key]
