"""The words of a text, and the numbers under which they are indexed. Pure.

A word is a longest run of letters and digits, of any script, in lower case: `GET /api/v1?id=7F-3` holds get, api, v1,
id, 7f and 3. Nothing is left out and nothing is stemmed, so an address, a path, a commit's or a request's id is found
by its parts. The fraction of a second behind a time of day is no word: nearly every line has another, and hardly
anybody looks for one.

Words are hashed into a bounded space of numbers, so that the index cannot grow with the number of ids that are ever
printed: those with a digit in them, of which most are printed once, share a small part of it, and the others, of which
there are as many as languages have, the rest. Two words may share a number: what the index finds is a candidate, and is
read before it is shown.
"""

import re
from collections.abc import Sequence
from typing import Final
from zlib import crc32

from shared.logs.lower_text import lower_text

WORD_BITS: Final = 22

# With 18 bits, one block in a hundred holds another word of the same number, where the log is full of ids; each more
# bit makes a day's index larger by half.
_NUMBERS_WITH_DIGITS: Final = 1 << 18
_NUMBERS_OF_LETTERS: Final = (1 << WORD_BITS) - _NUMBERS_WITH_DIGITS
_WORD: Final = re.compile(r"[^\W_]+")
_FRACTION: Final = re.compile(r":([0-9]{2})[.,][0-9]+")
# Of UTF-8: letters of ASCII in lower case; all else of ASCII that is no digit, a space; what is not of ASCII, as it is.
_LOWER_OR_SPACE: Final = bytes(
    code if code >= 0x80 or chr(code).isalnum() else 0x20 for code in bytes(range(256)).lower()
)


def split_words(text: str) -> list[str]:
    """Return the words of a text in their order, as often as they occur."""
    return _WORD.findall(lower_text(_without_fractions(text)))


def find_words(text: str) -> list[tuple[str, int, int]]:
    """Return the words that `split_words` returns, each with where it stands in the text, [start, end)."""
    blanked = _FRACTION.sub(lambda found: found[0][:3] + " " * (len(found[0]) - 3), text)
    lower, places = _lower_with_places(blanked)
    words = [(found[0], *found.span()) for found in _WORD.finditer(lower)]
    return [(word, places[start], places[end]) for word, start, end in words] if places else words


def number_of(word: str) -> int:
    """Return the number under which a word is indexed, from 0 to 2 ** WORD_BITS - 1."""
    if word.isalpha():
        return _NUMBERS_WITH_DIGITS + crc32(word.encode()) % _NUMBERS_OF_LETTERS
    return crc32(word.encode()) % _NUMBERS_WITH_DIGITS


def number_words(text: str) -> set[int]:
    """Return the numbers of all words of a text: those of `split_words`, fast for much text."""
    text = _without_fractions(text)
    # Lone surrogates cannot come from decoding bytes; a query may hold one.
    found = set(text.encode("utf-8", "replace").translate(_LOWER_OR_SPACE).split())
    numbers: set[int] = set()
    if not text.isascii():
        foreign = [word for word in found if not word.isascii()]
        found.difference_update(foreign)
        for word in foreign:
            numbers.update(map(number_of, _WORD.findall(lower_text(word.decode()))))
    letters = [word for word in found if word.isalpha()]
    found.difference_update(letters)
    numbers.update([crc32(word) % _NUMBERS_WITH_DIGITS for word in found])
    numbers.update([_NUMBERS_WITH_DIGITS + crc32(word) % _NUMBERS_OF_LETTERS for word in letters])
    return numbers


def _lower_with_places(text: str) -> tuple[str, Sequence[int]]:
    """Return a text in lower case, and for each of its characters where it was, if that is not the same place."""
    lower = lower_text(text)
    if len(lower) == len(text):
        return lower, ()
    # A letter may become two.
    each = [lower_text(letter) for letter in text]
    places = [place for place, letters in enumerate(each) for _ in letters]
    return "".join(each), [*places, len(text)]


def _without_fractions(text: str) -> str:
    """Return the text with other characters between its words, without the fractions of seconds."""
    # Splitting takes a quarter of the time that putting the seconds back in place does.
    return " ".join(_FRACTION.split(text)) if ":" in text else text
