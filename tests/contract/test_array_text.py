"""Texts of arrays are what the server reads as those arrays."""

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.array_text import array_text, quoted_array_text
from tests.database import TestDatabase

STORABLE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
AWKWARD = st.sampled_from(["", "null", "NULL", "{", "}", ",", '"', "\\", " ", "\n", '\\"', "a b"])


def test_any_texts(database: TestDatabase) -> None:
    with psycopg.connect(database.dsn()) as connection:

        @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(texts=st.lists(STORABLE | AWKWARD))
        def check(texts: list[str]) -> None:
            assert connection.execute("select %s::text[]", [quoted_array_text(texts)]).fetchone() == (texts,)

        check()


def test_numbers(database: TestDatabase) -> None:
    with psycopg.connect(database.dsn()) as connection:
        for numbers in ([1, -2], []):
            text = array_text(map(str, numbers))
            assert connection.execute("select %s::bigint[]", [text]).fetchone() == (numbers,)
