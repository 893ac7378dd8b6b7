"""What pages of streams are counted for, and so the bound of all that are kept, is no less than they take."""

import tracemalloc

import pytest

from services.ingest.count_cost import cost_of
from services.ingest.feed_logs import LogPage
from services.ingest.read_chunks import ChunkPage
from services.ingest.show_chunk import ChunkJob
from shared.ids import JobId, RunId, new_id
from tests.stored_logs import make_chunks

SIZE = 64 * 1024


@pytest.mark.parametrize(
    ("piece", "pieces"),
    [
        (b"so goes a line of a log that is as most are\n" * (SIZE // 44), 4),
        (b"\n" * SIZE, 4),
        (bytes(SIZE), 4),
        (b"\x1b" * SIZE, 4),
        (b"\x1b[31mx\x1b[0m" * (SIZE // 10), 4),
        (b"short\n", 500),
    ],
    ids=["text", "newlines", "NUL", "escapes", "colours", "short chunks"],
)
def test_a_page_with_all_that_is_made_of_it_takes_no_more_than_it_is_counted_for(piece: bytes, pieces: int) -> None:
    tracemalloc.start()
    try:
        chunks = make_chunks([(0, 1, piece) for _ in range(pieces)])
        page = LogPage(1, ChunkPage(0, len(chunks), chunks))
        page.events(0)
        page.styled_events(0, None)
        page.told(0, ChunkJob(JobId(new_id()), "job", RunId(new_id())))
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert page.size == sum(map(cost_of, chunks))
    assert taken < 1.5 * page.size
