"""What notifications say about lanes, so that an executor with nothing to do need not look everywhere for one job."""

from services.executor.finish_and_claim import Lane


class LaneRings:
    """What has been rung about since the last look, and whether that look left anything."""

    def __init__(self) -> None:
        self._known: dict[int, Lane] = {}
        self._rung: set[int] = set()
        self._rung_about_anything = False
        self._is_caught_up = False

    def learn(self, lane: Lane) -> None:
        """Take note of a lane that we have claimed from."""
        self._known[lane.lane_id] = lane

    def hear(self, about: str) -> None:
        """Take note of a notification: about a lane, by its id, or about anything."""
        if about.isdecimal() and (lane_id := int(about)) in self._known:
            self._rung.add(lane_id)
        else:
            self._rung_about_anything = True

    def catch_up(self) -> None:
        """Take note that the last look has left nothing that is ready."""
        self._is_caught_up = True

    @property
    def is_pending(self) -> bool:
        """Whether somebody has rung since the last look began."""
        return self._rung_about_anything or bool(self._rung)

    def begin_look(self) -> Lane | None:
        """Return the one lane that can have something; None if it is to be looked everywhere, as nobody rang."""
        lanes, rest = self._rung, self._rung_about_anything or not self._is_caught_up
        self._rung, self._rung_about_anything, self._is_caught_up = set(), False, False
        return self._known[lanes.pop()] if len(lanes) == 1 and not rest else None
