"""The command: counts the words of standard input."""

import sys

from wordcount.count import count_words


def main() -> None:
    """Print each word with its count."""
    for word, count in count_words(sys.stdin):
        print(f"{count:7} {word}")
