"""One line of a log as a page shows it: what a terminal would do to it is done here; nothing in it is markup. Pure."""

import codecs
import re
from datetime import datetime
from typing import Final

import msgspec

from services.ingest.pick_lines import LogLine
from services.ingest.render_ansi import AnsiRenderer, Span, last_state, plain
from services.ingest.show_chunk import STREAM_NAMES
from shared.logs.find_level import Level, find_level
from shared.logs.strip_ansi import strip_ansi

# Of so much of its beginning is told whether a line is text.
_SAMPLE: Final = 1024
_NOT_TEXT: Final = re.compile("[\x00-\x07\x0e-\x1a\x1c-\x1f\ufffd]")
_MOST_STRANGE: Final = 0.2
# A character that is cut in two at a tail's beginning.
_TORN: Final = re.compile(rb"[\x80-\xbf]{0,3}")


class ShownLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line. What is left out of a very long one lies between `text` or `spans` and `tail`."""

    # From 0, over all streams of the attempt.
    number: int
    # Position of the step; -1 before the first.
    step: int
    # howdah, stdout or stderr.
    stream: str
    at: datetime
    level: str | None = None
    # Control sequences are left out; of what a progress bar wrote over itself, the last state is shown.
    text: str | None = None
    # If asked for, in place of `text`: pieces of one style, [classes, text].
    spans: list[Span] | None = None
    omitted_bytes: int | None = None
    tail: str | None = None
    # No text: what it would show is left out, and `omitted_bytes` says how much that is.
    binary: bool = False


def level_of(line: LogLine) -> Level:
    """Return the level that the line is marked with."""
    return find_level(strip_ansi(line.head.decode("utf-8", "replace")))


def show_line(line: LogLine, level: Level, renderer: AnsiRenderer | None) -> ShownLine:
    """Return the line as a page shows it; with a renderer, in pieces of one style."""
    place = (line.number, line.step, STREAM_NAMES[line.stream], line.at)
    if is_binary(line.head):
        size = len(line.head) + len(line.tail) + line.omitted_bytes
        return ShownLine(*place, text="", binary=True, omitted_bytes=size)
    name = level.name.lower() if level else None
    folded = bool(line.omitted_bytes)
    text = last_state(_decode(line.head, folded=folded))
    tail = plain(last_state(_TORN.sub(b"", line.tail, count=1).decode("utf-8", "replace"))) if folded else None
    omitted = line.omitted_bytes or None
    if renderer is None:
        return ShownLine(*place, level=name, text=plain(text), omitted_bytes=omitted, tail=tail)
    spans = renderer.render_line(line.stream, text)
    return ShownLine(*place, level=name, spans=spans, omitted_bytes=omitted, tail=tail)


def is_binary(data: bytes) -> bool:
    """Whether bytes are not meant to be read: much of their beginning is neither text nor what terminals are told."""
    sample = _decode(data[:_SAMPLE], folded=len(data) > _SAMPLE)
    return len(_NOT_TEXT.findall(sample)) > _MOST_STRANGE * len(sample)


def _decode(data: bytes, *, folded: bool) -> str:
    """Return the text; where it is cut off, a character may be, too."""
    return codecs.getincrementaldecoder("utf-8")("replace").decode(data, final=not folded)
