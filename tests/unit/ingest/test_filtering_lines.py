"""Lines of a level: those that are marked, with all that comes of them later, and no others."""

from services.ingest.filter_lines import LineFilter
from shared.logs.find_level import Level
from tests.stored_logs import Piece, make_chunks


def marked(*pieces: Piece, least: Level = Level.WARNING) -> list[list[tuple[int, str, str, bool]]]:
    line_filter = LineFilter(least)
    return [
        [(line.number, line.level, line.text, line.continues) for line in line_filter.feed(chunk)]
        for chunk in make_chunks(pieces)
    ]


def test_only_lines_that_are_grave_enough_pass() -> None:
    assert marked((0, 1, b"INFO: a\nERROR: b\nplain\nWARNING: c\n")) == [
        [(1, "error", "ERROR: b", False), (3, "warning", "WARNING: c", False)]
    ]
    assert marked((0, 1, b"WARNING: c\nERROR: b\n"), least=Level.ERROR) == [[(1, "error", "ERROR: b", False)]]


def test_what_comes_later_of_a_marked_line_goes_with_it() -> None:
    assert marked((0, 1, b"ERROR: a"), (0, 2, b"x\n"), (0, 1, b" goes on"), (0, 1, b" and ends\nb\n")) == [
        [(0, "error", "ERROR: a", False)],
        [],
        [(0, "error", " goes on", True)],
        [(0, "error", " and ends", True)],
    ]


def test_a_line_ends_with_its_step() -> None:
    assert marked((0, 1, b"ERROR: a"), (1, 1, b"b\n")) == [[(0, "error", "ERROR: a", False)], []]


def test_more_of_a_line_that_is_not_marked_does_not_pass() -> None:
    assert marked((0, 1, b"a"), (0, 1, b"ERROR: b\nERROR: c\n")) == [[], [(1, "error", "ERROR: c", False)]]
