"""Ids are UUIDv7, unique, and in the order of their making."""

import time

from shared.ids import new_id


def test_ids_are_uuid7_in_order_and_unique() -> None:
    made = [new_id() for _ in range(50_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert {(one.version, one.variant) for one in made} == {(7, "specified in RFC 4122")}


def test_an_id_carries_the_time_of_its_making() -> None:
    before = time.time_ns() // 1_000_000
    milliseconds = new_id().int >> 80
    # Ids that were made in a burst may run ahead of the clock, never behind it.
    assert before <= milliseconds <= time.time_ns() // 1_000_000 + 1000
