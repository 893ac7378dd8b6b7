"""Where an executor looks after a notification: in one lane only if nothing can be in another."""

from services.executor.finish_and_claim import Lane
from services.executor.hear_lanes import LaneRings

LANE, OTHER = Lane(1, "a", "default"), Lane(2, "b", "default")


def rings() -> LaneRings:
    """Of an executor that knows both lanes, and whose last look left nothing."""
    made = LaneRings()
    made.learn(LANE)
    made.learn(OTHER)
    look(made)
    return made


def look(heard: LaneRings, *, is_more: bool = False, is_left: bool = False) -> Lane | None:
    """One look from begin to end, with nobody beside it; returns where."""
    number, lane = heard.begin_look()
    heard.end_look(number, is_more=is_more, is_left=is_left)
    return lane


def test_a_lane_that_is_known_is_enough() -> None:
    heard = rings()
    heard.hear("2")
    heard.hear("2")
    assert (heard.is_pending, look(heard), heard.is_pending) == (True, OTHER, False)
    heard.hear("1")
    assert look(heard) == LANE


def test_everywhere_as_long_as_something_has_been_left() -> None:
    for is_more, is_left in ((True, False), (False, True), (True, True)):
        heard = rings()
        look(heard, is_more=is_more, is_left=is_left)
        assert heard.is_pending == is_more
        heard.hear("1")
        assert look(heard) is None


def test_everywhere_after_a_look_that_has_not_been_answered() -> None:
    heard = rings()
    heard.hear("1")
    heard.begin_look()
    heard.hear("1")
    assert look(heard) is None


def test_a_look_that_was_overtaken_by_another_knows_nothing() -> None:
    # The second has heard the ring: what it was about, the first has not seen. In whatever order they are answered.
    for first_first in (True, False):
        heard = rings()
        first, _ = heard.begin_look()
        heard.hear("")
        second, _ = heard.begin_look()
        if first_first:
            heard.end_look(first, is_more=False, is_left=False)
            assert heard.is_pending
            heard.end_look(second, is_more=True, is_left=False)
        else:
            heard.end_look(second, is_more=True, is_left=False)
            heard.end_look(first, is_more=False, is_left=False)
        heard.hear("1")
        assert look(heard) is None


def test_everywhere_when_somebody_rang_about_something_else_too() -> None:
    for about in ("", "2", "3", "everything", "-1", "1 ", "01", "\N{SUPERSCRIPT TWO}", "9" * 7999):
        heard = rings()
        heard.hear("1")
        heard.hear(about)
        assert look(heard) is None, about


def test_everywhere_when_nobody_rang_or_about_a_lane_that_is_not_known() -> None:
    assert look(rings()) is None
    heard = rings()
    heard.hear("9" * 7999)
    assert look(heard) is None


def test_what_was_rung_about_before_a_look_is_done_with() -> None:
    heard = rings()
    heard.hear("1")
    heard.hear("")
    assert look(heard) is None
    heard.hear("2")
    assert look(heard) == OTHER
