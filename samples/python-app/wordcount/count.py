"""Count words."""

import re
from collections import Counter
from collections.abc import Iterable

WORD = re.compile(r"\w+")


def count_words(lines: Iterable[str]) -> list[tuple[str, int]]:
    """Return the words with their counts, the most frequent first, then by the alphabet."""
    counts = Counter(word.lower() for line in lines for word in WORD.findall(line))
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
