"""Looks on behalf of many: at once after a pause, and never so often that looking is most of what is done."""

import anyio
import pytest

from services.ingest.pace_looks import Pace


async def test_the_first_look_is_taken_at_once_and_the_next_one_after_a_pause() -> None:
    pace = Pace()
    assert pace.seconds_left() <= 0
    with pace.look():
        pass
    assert 0 < pace.seconds_left() <= 0.01


async def test_the_pause_grows_with_what_a_look_takes_and_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(anyio, "current_time", lambda: clock[0])
    pace = Pace()
    with pace.look():
        clock[0] += 0.04
    assert pace.seconds_left() == pytest.approx(0.08)
    clock[0] += 0.09
    assert pace.seconds_left() <= 0
    with pace.look():
        clock[0] += 30
    assert pace.seconds_left() == pytest.approx(0.25)


async def test_a_look_that_fails_is_followed_by_a_pause_too() -> None:
    pace = Pace()
    with pytest.raises(OSError, match="gone"), pace.look():
        raise OSError("gone")
    assert pace.seconds_left() > 0
