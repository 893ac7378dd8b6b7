"""What to look for in the lines of logs: words, phrases, exclusions. Pure.

    connection refused       lines that have both words, anywhere in them, in any case
    "connection refused"     lines that have the words next to each other, in this order
    connection -retrying     lines that have the one and not the other; -"…" excludes a phrase

A word is a run of letters and digits (`shared.logs.split_words`). What holds more than one of them without a space,
such as an address, a path or a time, is a phrase: `10.0.0.7` is `"10 0 0 7"`.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final

import msgspec

from services.ingest.problem_details import bad_field
from shared.logs.split_words import split_words

MOST_QUERY: Final = 1000
_MOST_WORDS: Final = 50
# A minus excludes only where a word, or something in quotation marks, follows: `--verbose` and ` - ` are no exclusions.
_PART: Final = re.compile(r'(-(?=[^\W_]|"))?(?:"([^"]*)("?)|(\S+))')

# Words that stand next to each other.
Phrase = tuple[str, ...]


class LogQuery(msgspec.Struct, frozen=True):
    """A line is meant when it has all phrases of `required`, and none of `excluded`."""

    required: tuple[Phrase, ...]
    excluded: tuple[Phrase, ...] = ()

    def words(self) -> list[str]:
        """Return the words that a line must have, each once."""
        return list(dict.fromkeys(word for phrase in self.required for word in phrase))

    def means(self, line: str) -> bool:
        """Whether a line is meant."""
        words = split_words(line)
        return all(_has(words, phrase) for phrase in self.required) and not any(
            _has(words, phrase) for phrase in self.excluded
        )


def find_phrase(words: Sequence[str], phrase: Phrase) -> Iterator[int]:
    """Yield the places in `words` at which a phrase stands, none of which overlap."""
    at = 0
    with suppress(ValueError):  # from `index`: the first word stands nowhere else
        while True:
            at = words.index(phrase[0], at)
            if tuple(words[at : at + len(phrase)]) == phrase:
                yield at
                at += len(phrase)
            else:
                at += 1


def read_log_query(text: str) -> LogQuery:
    """Return what a text asks for. Raises `Problem` if that is nothing that can be searched by."""
    required: list[Phrase] = []
    excluded: list[Phrase] = []
    for found in _PART.finditer(text):
        minus, quoted, closed, bare = found.groups()
        if quoted is not None and not closed:
            raise bad_field("q", 'a quotation mark is not closed: write a phrase as "connection refused"')
        if phrase := tuple(split_words(bare if quoted is None else quoted)):
            (excluded if minus else required).append(phrase)
    if not required:
        raise bad_field("q", _say_what_is_lacking(text, excludes=bool(excluded)))
    if sum(map(len, required)) + sum(map(len, excluded)) > _MOST_WORDS:
        raise bad_field("q", f"it has more than {_MOST_WORDS} words")
    return LogQuery(tuple(dict.fromkeys(required)), tuple(dict.fromkeys(excluded)))


def _say_what_is_lacking(text: str, *, excludes: bool) -> str:
    if excludes:
        return "it only excludes: give at least one word that the lines have, such as: error -retrying"
    if not text.strip():
        return "give at least one word that the lines have"
    return (
        "nothing is left to search by: words are made of letters and digits, and all other characters only part them. "
        "Within one job, GET /api/v1/jobs/{job}/log/search finds any characters"
    )


def _has(words: Sequence[str], phrase: Phrase) -> bool:
    return next(find_phrase(words, phrase), None) is not None
