"""When a job that went wrong is tried again."""

import math
import random

from msgspec import Struct


class RetryPolicy(Struct, frozen=True, forbid_unknown_fields=True):
    """Exponential backoff with full jitter, from ``first_seconds``, times ``factor``, to ``most_seconds``.

    After M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015: a wait drawn from the whole range
    between nothing and the ceiling spreads jobs that failed together best.

    Raises ValueError for numbers that make no policy.
    """

    first_seconds: float = 5.0
    factor: float = 2.0
    most_seconds: float = 3600.0

    def __post_init__(self) -> None:
        if not (0 < self.first_seconds <= self.most_seconds and math.isfinite(self.most_seconds)):
            raise ValueError("first_seconds must be positive, and most_seconds finite and no smaller")
        if not (self.factor >= 1 and math.isfinite(self.factor)):
            raise ValueError("factor must be finite and at least 1")

    def ceiling_seconds(self, attempt: int) -> float:
        """Return the longest that may pass before another try, after this attempt (the first is 1) went wrong."""
        # In logarithms, because a power can overflow.
        doublings = max(0, attempt - 1) * math.log(self.factor)
        if doublings >= math.log(self.most_seconds / self.first_seconds):
            return self.most_seconds
        return self.first_seconds * math.exp(doublings)

    def delay_seconds(self, attempt: int) -> float:
        """Draw how long to wait before another try, after this attempt (the first is 1) went wrong."""
        return random.uniform(0.0, self.ceiling_seconds(attempt))  # noqa: S311 - not for secrets
