"""Who follows what, and where each of these stood at the last look on behalf of all."""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from shared.loop import Bell

Key = TypeVar("Key", bound=Hashable)
State = TypeVar("State")


class Followers(Generic[Key, State]):
    """The bells of those who follow something, by what they follow; what nobody follows is forgotten."""

    def __init__(self, newcomer: Bell) -> None:
        # Rung when somebody begins to follow.
        self._newcomer = newcomer
        self._bells: dict[Key, set[Bell]] = {}
        self.states: dict[Key, State] = {}

    def __contains__(self, key: Key) -> bool:
        return key in self._bells

    def keys(self) -> list[Key]:
        """Return what is followed."""
        return list(self._bells)

    @contextmanager
    def follow(self, key: Key, bell: Bell) -> Iterator[None]:
        """Have `bell` rung about `key` for as long as the block lasts."""
        self._bells.setdefault(key, set()).add(bell)
        self._newcomer.ring()
        try:
            yield
        finally:
            followers = self._bells[key]
            followers.discard(bell)
            if not followers:
                del self._bells[key]
                self.states.pop(key, None)

    def ring(self, key: Key) -> None:
        """Wake those who follow `key`, if there are any."""
        for bell in self._bells.get(key, ()):
            bell.ring()

    def move(self, key: Key, state: State) -> None:
        """Take note of where `key` stands now, and wake who follows it; nothing if nobody does any more."""
        if key in self._bells:
            self.states[key] = state
            self.ring(key)

    def ring_all(self) -> None:
        """Wake every follower."""
        for key in self._bells:
            self.ring(key)
