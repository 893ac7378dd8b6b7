"""Where an executor looks after a notification: in one lane only if nothing can be in another."""

from services.executor.finish_and_claim import Lane
from services.executor.hear_lanes import LaneRings

LANE, OTHER = Lane(1, "a", "default"), Lane(2, "b", "default")


def rings(*, caught_up: bool = True) -> LaneRings:
    """Of an executor that knows both lanes."""
    made = LaneRings()
    made.learn(LANE)
    made.learn(OTHER)
    if caught_up:
        made.catch_up()
    return made


def test_a_lane_that_is_known_is_enough() -> None:
    heard = rings()
    heard.hear("2")
    heard.hear("2")
    assert heard.is_pending
    assert heard.begin_look() == OTHER
    assert not heard.is_pending


def test_everywhere_as_long_as_something_may_have_been_left() -> None:
    heard = rings(caught_up=False)
    heard.hear("1")
    assert heard.begin_look() is None


def test_everywhere_after_a_look_that_has_not_been_answered_with_all_that_there_was() -> None:
    heard = rings()
    heard.hear("1")
    assert heard.begin_look() == LANE
    heard.hear("1")
    assert heard.begin_look() is None


def test_everywhere_when_somebody_rang_about_something_else_too() -> None:
    for about in ("", "2", "3", "everything", "-1", "1 ", "\N{SUPERSCRIPT TWO}", "9" * 30):
        heard = rings()
        heard.hear("1")
        heard.hear(about)
        assert heard.begin_look() is None, about


def test_everywhere_when_nobody_rang() -> None:
    assert rings().begin_look() is None


def test_what_was_rung_about_before_a_look_is_done_with() -> None:
    heard = rings()
    heard.hear("1")
    heard.hear("")
    heard.begin_look()
    heard.catch_up()
    heard.hear("2")
    assert heard.begin_look() == OTHER
