"""What notifications say about lanes, so that an executor with nothing to do need not look everywhere for one job."""

from services.executor.finish_and_claim import Lane

ANYTHING = ""


class LaneRings:
    """What has been rung about since the newest look began, and whether that look has left nothing.

    Looks may overlap: then only the newest knows, since it has answered the rings.
    """

    def __init__(self) -> None:
        # By what is said in the notification, which may be anything.
        self._known: dict[str, Lane] = {}
        self._rung: set[str] = set()
        self._newest = 0
        self._is_caught_up = False

    @property
    def is_pending(self) -> bool:
        """Whether somebody has rung since the newest look began."""
        return bool(self._rung)

    def learn(self, lane: Lane) -> None:
        """Take note of a lane that we have claimed from."""
        self._known[str(lane.lane_id)] = lane

    def hear(self, about: str) -> None:
        """Take note of a notification: about a lane, by its id, or about anything."""
        self._rung.add(about if about in self._known else ANYTHING)

    def begin_look(self) -> tuple[int, Lane | None]:
        """Return the look's number, and the one lane that can have something; None if it is to be looked everywhere."""
        rung, is_caught_up = self._rung, self._is_caught_up
        self._rung, self._is_caught_up = set(), False
        self._newest += 1
        lane = self._known.get(rung.pop()) if is_caught_up and len(rung) == 1 else None
        return self._newest, lane

    def end_look(self, number: int, *, is_more: bool, is_left: bool) -> None:
        """Take note of what a look has left: more, as if somebody had rung, or something that has to wait."""
        if is_more or number != self._newest:
            self._rung.add(ANYTHING)
        elif not is_left:
            self._is_caught_up = True
