"""What counting words must do."""

import unittest

from wordcount.count import count_words


class CountWordsTest(unittest.TestCase):
    """The order and the sameness of words."""

    def test_frequent_words_come_first(self) -> None:
        """More often is earlier."""
        self.assertEqual(count_words(["b a b"]), [("b", 2), ("a", 1)])

    def test_words_of_one_count_are_in_alphabetical_order(self) -> None:
        """Ties have an order too."""
        self.assertEqual(count_words(["b a"]), [("a", 1), ("b", 1)])

    def test_case_does_not_tell_words_apart(self) -> None:
        """Fish is fish."""
        self.assertEqual(count_words(["Fish fish"]), [("fish", 2)])

    def test_nothing_has_no_words(self) -> None:
        """An empty text is no mistake."""
        self.assertEqual(count_words([]), [])
