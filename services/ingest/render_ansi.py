"""Terminal output, made into pieces of one style each: a page shows them as text, never as markup. Pure.

Only SGR sequences (ECMA-48, 8.3.117) mean something here; every other control sequence is left out.
"""

import re
from typing import Final

from shared.logs.strip_ansi import strip_ansi

Span = tuple[str, str]

# Control sequences, operating system commands and the like (until BEL or ST), and two-character escapes.
_ESCAPE: Final = re.compile(
    r"\x1b\[([0-9:;<=>?]*)([ -/]*)([@-~])"
    r"|\x1b[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)"
    r"|\x1b[ -/]*[0-Z\\^-~]"
)
# The beginning of a sequence whose end is in the next chunk; bounded, so that no text is kept back for ever.
_UNFINISHED: Final = re.compile(
    r"\x1b(?:\[[0-9:;<=>?]{0,64}[ -/]{0,8}|[\]PX^_][^\x07\x1b\n]{0,512}\x1b?|[ -/]{0,8})?\Z"
)
_SGR: Final = re.compile(r"\x1b\[[0-9:;]*m")
_OTHER_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# Of a parameter; codes of styles have three at most.
_MOST_DIGITS: Final = 4
_NO_CHARACTER: Final = "\ufffd"
_COLORS: Final = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_ATTRIBUTES: Final = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse", 9: "strike"}
_ENDS: Final = {22: ("bold", "dim"), 23: ("italic",), 24: ("underline",), 27: ("inverse",), 29: ("strike",)}


class _Style:
    """What the terminal's pen is set to."""

    def __init__(self, attributes: dict[str, str] | None = None) -> None:
        self._attributes: dict[str, str] = dict(attributes or {})

    def copy(self) -> "_Style":
        """Return a style of its own that is the same now."""
        return _Style(self._attributes)

    def classes(self) -> str:
        """Return the CSS classes of the style."""
        return " ".join(self._attributes.values())

    def apply(self, parameters: str) -> None:
        """Change the style as an SGR sequence says; what is not known changes nothing."""
        codes = [_number_of(code) for code in re.split("[;:]", parameters)]
        position = 0
        while position < len(codes):
            code = codes[position]
            if code in (38, 48):  # extended colours: their numbers are not codes of their own
                position += self._apply_extended(code, codes[position + 1 : position + 3], len(codes))
            else:
                self._apply_one(code)
            position += 1

    def _apply_one(self, code: int) -> None:
        if code == 0:
            self._attributes.clear()
        elif code in _ATTRIBUTES:
            self._attributes[_ATTRIBUTES[code]] = f"ansi-{_ATTRIBUTES[code]}"
        elif code in _ENDS:
            for attribute in _ENDS[code]:
                self._attributes.pop(attribute, None)
        elif 30 <= code <= 37 or 90 <= code <= 97:
            self._set_color("fg", code % 10, bright=code >= 90)
        elif 40 <= code <= 47 or 100 <= code <= 107:
            self._set_color("bg", code % 10, bright=code >= 100)
        elif code in (39, 49):
            self._attributes.pop("fg" if code == 39 else "bg", None)

    def _apply_extended(self, code: int, following: list[int], count: int) -> int:
        """Take the first 16 of 256 colours as they are; the others have no class.

        Returns how many numbers it read: all, however many there are (`count`), behind one that means nothing.
        """
        ground = "fg" if code == 38 else "bg"
        match following:
            case [5, color, *_]:
                if color < 16:
                    self._set_color(ground, color % 8, bright=color >= 8)
                else:
                    self._attributes.pop(ground, None)
                return 2
            case [2, *_]:
                self._attributes.pop(ground, None)
                return 4
            case _:
                return count

    def _set_color(self, ground: str, index: int, *, bright: bool) -> None:
        self._attributes[ground] = f"ansi-{ground}-{'bright-' if bright else ''}{_COLORS[index]}"


def _number_of(digits: str) -> int:
    """Return a parameter as a number. A program may print as many digits as it likes: no style, and no error."""
    significant = digits.lstrip("0")
    if not significant.isdecimal():
        return 0
    return int(significant[:_MOST_DIGITS])


class AnsiRenderer:
    """Renders a log chunk by chunk; a style, and a sequence that is cut in two, go on in the stream's next chunk."""

    def __init__(self) -> None:
        self._styles: dict[int, _Style] = {}
        self._unfinished: dict[int, str] = {}

    def copy(self) -> "AnsiRenderer":
        """Return one that goes on from here by itself."""
        twin = AnsiRenderer()
        twin._styles = {stream: style.copy() for stream, style in self._styles.items()}
        twin._unfinished = dict(self._unfinished)
        return twin

    def render(self, stream: int, text: str) -> list[Span]:
        """Return the text of one chunk as pieces of one style: (CSS classes, text)."""
        style = self._styles.setdefault(stream, _Style())
        text = self._unfinished.pop(stream, "") + text
        if unfinished := _UNFINISHED.search(text):
            self._unfinished[stream] = unfinished.group()
            text = text[: unfinished.start()]
        spans: list[Span] = []
        position = 0
        for escape in _ESCAPE.finditer(text):
            _add(spans, style, text[position : escape.start()])
            position = escape.end()
            if escape[3] == "m" and not escape[2]:
                style.apply(escape[1])
        _add(spans, style, text[position:])
        return spans

    def render_line(self, stream: int, text: str) -> list[Span]:
        """Return a whole line as pieces of one style: no sequence goes on in the next one."""
        spans = self.render(stream, text)
        self._unfinished.pop(stream, None)
        return spans


def plain(text: str) -> str:
    """Return the text without control sequences, and without controls but tabs and ends of lines; NUL is seen."""
    return strip_ansi(text.replace("\0", _NO_CHARACTER))


def last_state(text: str) -> str:
    """Return what stands in a line once carriage returns have been obeyed: the last thing written, in its style."""
    if "\r" not in text:
        return text
    states = text.split("\r")
    shown = len(states) - 1
    while shown and not plain(states[shown]):
        shown -= 1
    styles = "".join("".join(_SGR.findall(state)) for state in states[:shown])
    return styles + states[shown]


def last_states(text: str) -> str:
    """Return lines, each as `last_state` does."""
    if "\r" not in text:
        return text
    return "\n".join(map(last_state, text.split("\n")))


def _add(spans: list[Span], style: _Style, text: str) -> None:
    shown = _OTHER_CONTROLS.sub("", text.replace("\0", _NO_CHARACTER))
    if shown:
        spans.append((style.classes(), shown))
