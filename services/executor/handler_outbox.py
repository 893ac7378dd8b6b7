"""What a handler process has to tell its executor: gathered, and sent together."""

import asyncio
import threading
import time
from typing import Final, cast

from services.executor.handler_channel import Channel
from services.executor.handler_frames import (
    FRAME_BYTES,
    Call,
    CallEnd,
    CallOutcome,
    EndedCalls,
    Progress,
    ProgressNote,
    cut_by_weight,
)
from shared.jobs.job_context import JobDetails

# While there is more to do.
_GATHER_SECONDS: Final = 0.002
_PROGRESS_SECONDS: Final = 0.05
_END_BYTES: Final = 64


class Outbox:
    """Ends of calls, and notes of progress, of which only the newest of each call is kept."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._succeeded: list[int] = []
        self._ends: list[CallEnd] = []
        self._timer: asyncio.Handle | None = None
        self._sent_at = 0.0
        self._notes: dict[int, ProgressNote] = {}

    def add_end(self, end: CallEnd) -> None:
        """Tell of an end: together with those that come in the same turn of the loop, or within some ms."""
        if end.outcome is CallOutcome.SUCCEEDED and not end.result:
            self.add_success(end.key)
            return
        self._ends.append(end)
        if self._timer is None:
            self._timer = self._loop.call_soon(self._send_or_gather)

    def add_success(self, key: int) -> None:
        """Tell of a success without a result, in the same way."""
        self._succeeded.append(key)
        if self._timer is None:
            self._timer = self._loop.call_soon(self._send_or_gather)

    def send_ends(self) -> None:
        """Tell now, for there will not be more in a moment."""
        if self._timer is not None:
            self._timer.cancel()
            self._send_ends()

    def add_progress(self, details: JobDetails, fraction: float, message: str) -> None:
        """Tell how far a call has got. From any thread."""
        note = ProgressNote(cast("Call", details).key, fraction, message)
        if threading.get_ident() == self._thread:
            self._keep_note(note)
        else:
            self._loop.call_soon_threadsafe(self._keep_note, note)

    def _send_or_gather(self) -> None:
        wait = self._sent_at + _GATHER_SECONDS - time.monotonic()
        if wait <= 0:
            self._send_ends()
        else:
            self._timer = self._loop.call_later(wait, self._send_ends)

    def _send_ends(self) -> None:
        self._timer = None
        self._sent_at = time.monotonic()
        succeeded, self._succeeded = self._succeeded, []
        ends, self._ends = self._ends, []
        # Progress comes before the end, or not at all.
        self._send_notes()
        if not ends:
            self._channel.send(EndedCalls(succeeded, []))
            return
        weights = [_END_BYTES + len(end.result) + len(end.error) for end in ends]
        for piece in cut_by_weight(ends, weights, FRAME_BYTES):
            self._channel.send(EndedCalls(succeeded, list(piece)))
            succeeded = []

    def _keep_note(self, note: ProgressNote) -> None:
        if not self._notes:
            self._loop.call_later(_PROGRESS_SECONDS, self._send_notes)
        self._notes[note.key] = note

    def _send_notes(self) -> None:
        if self._notes:
            notes, self._notes = self._notes, {}
            self._channel.send(Progress(list(notes.values())))
