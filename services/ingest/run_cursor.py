"""Where a stream of all logs of a run stands, as the id of an event: compact, and understood by every replica. Pure.

The jobs of a run have an order that stays: the plan job, then the others by id. The id is base64 (RFC 4648, 5) of
numbers of 7 bits a byte, low ones first, the eighth bit: more follows.

    1 (the form), how many jobs from the first on are wholly delivered, how many are begun and not wholly delivered; of
    each of these how far on it is in the order, its epoch, and its chunk; then, to the end, how far on each further
    job is that is wholly delivered
"""

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from services.ingest.problem_details import Problem, bad_field
from services.ingest.row_cursor import ChunkCursor

_FORM: Final = 1
_MOST_LENGTH: Final = 64 * 1024
_MOST_JOBS: Final = 100_000
_MOST_EPOCH: Final = 2**31 - 1
_MOST_SEQ: Final = 2**63 - 1


class RunCursor:
    """How far each job of a run was delivered, by its place in their order."""

    def __init__(self, begun: Mapping[int, ChunkCursor] | None = None, delivered: Iterable[int] = ()) -> None:
        self._begun = dict(begun or {})
        self._delivered = set(delivered)

    def at(self, place: int) -> ChunkCursor:
        """Return how far a job was delivered."""
        return self._begun.get(place, ChunkCursor(0, 0))

    def is_delivered(self, place: int) -> bool:
        """Whether a job was delivered to its end."""
        return place in self._delivered

    def move(self, place: int, cursor: ChunkCursor) -> None:
        """Note that a job was delivered so far."""
        self._begun[place] = cursor

    def finish(self, place: int) -> None:
        """Note that a job was delivered to its end."""
        self._begun.pop(place, None)
        self._delivered.add(place)

    def __str__(self) -> str:
        front = 0
        while front in self._delivered:
            front += 1
        numbers = [_FORM, front, len(self._begun)]
        before = 0
        for place in sorted(self._begun):
            numbers += (place - before, *self._begun[place])
            before = place
        before = front
        for place in sorted(place for place in self._delivered if place > front):
            numbers.append(place - before)
            before = place
        return base64.urlsafe_b64encode(b"".join(map(_encode, numbers))).rstrip(b"=").decode()


def read_run_cursor(text: str) -> RunCursor:
    """Return the cursor that `text` is. Raises `Problem`."""
    try:
        if len(text) > _MOST_LENGTH:
            raise _refusal()
        numbers = _decode(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
        if next(numbers) != _FORM:
            raise _refusal()
        front, count = _bounded(next(numbers)), _bounded(next(numbers))
        begun: dict[int, ChunkCursor] = {}
        place = 0
        for _ in range(count):
            place = _bounded(place + next(numbers))
            begun[place] = ChunkCursor(_bounded(next(numbers), _MOST_EPOCH), _bounded(next(numbers), _MOST_SEQ))
        delivered = set(range(front))
        place = front
        for number in numbers:
            place = _bounded(place + number)
            delivered.add(place)
    except (StopIteration, ValueError, binascii.Error):
        raise _refusal() from None
    return RunCursor(begun, delivered)


def _refusal() -> Problem:
    return bad_field("Last-Event-ID", "it is not the id of an event of this stream")


def _bounded(number: int, most: int = _MOST_JOBS) -> int:
    if number > most:
        raise ValueError("the number is out of range")
    return number


def _encode(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _decode(data: bytes) -> Iterator[int]:
    number = shift = 0
    for byte in data:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield number
            number = shift = 0
        elif shift > 63:
            raise ValueError("the number is too long")
    if shift:
        raise ValueError("the last number is cut off")
