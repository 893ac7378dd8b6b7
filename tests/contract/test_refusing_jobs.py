"""A malformed job is refused with our own SQLSTATE, and the message names the job's place and the field."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.database import Server
from tests.producer import Producer, open_producer, refused

FIELDS = (
    "type",
    "payload",
    "queue",
    "labels",
    "run_at",
    "delay_seconds",
    "priority",
    "max_attempts",
    "timeout_seconds",
    "idempotency_key",
    "idempotency_seconds",
    "concurrency_key",
    "retry",
    "metadata",
    "traceparent",
)
# Of the examples below, what each field takes; everything else is refused. A name is taken by its text, whatever it is.
TAKES: dict[str, set[str]] = {
    "type": {"true"},
    "payload": {"null", "true", "number", "string", "array", "object"},
    "queue": {"null", "number", "true"},
    "labels": {"null"},
    "run_at": {"null"},
    "delay_seconds": {"null", "number"},
    "priority": {"null", "number"},
    "max_attempts": {"null", "number"},
    "timeout_seconds": {"null", "number"},
    "idempotency_key": {"null", "number", "true", "string", "array", "object"},
    "idempotency_seconds": {"null", "number"},
    "concurrency_key": {"null", "number", "true", "string", "array", "object"},
    "retry": {"null"},
    "metadata": {"null", "object"},
    "traceparent": {"null", "number", "true", "string", "array", "object"},
}
EXAMPLES: dict[str, object] = {
    "null": None,
    "true": True,
    "number": 7,
    "string": "a b!",
    "array": [{"a": [1]}],
    "object": {"a": {"b": 1}},
}

MALFORMED: list[tuple[str, object]] = [
    *(("type", name) for name in ("", "A", "1a", "a b", "a" * 64, "a\n", "ä")),
    *(("queue", name) for name in ("", "-a", "a b", "a" * 64, "a\n", "a/b")),
    *(("labels", labels) for labels in ([""], [None], [1], [["a"]], ["a" * 64], ["a\tb"], ["a", 2], "{a,b}")),
    ("labels", [f"l{number}" for number in range(21)]),
    *(
        ("run_at", time)
        for time in (
            "",
            "soon",
            "now",
            "tomorrow",
            "infinity",
            "-infinity",
            "2026-02-30T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-25",
            "10000-01-01T00:00:00Z",
            "2026-01-01T00:00:00Z BC",
            "2026-01-01T00:00:00 Nowhere/Atall",
        )
    ),
    *(("delay_seconds", delay) for delay in (-1, -0.001, 315360001, 1e300, "Infinity", "NaN", "1 hour", "")),
    *(("priority", priority) for priority in (-101, 101, 0.5, 40000, 1e300, "high", "", "NaN")),
    *(("max_attempts", most) for most in (-1, 0, 101, 1.5, 40000, 1e300, "many", "")),
    *(("timeout_seconds", seconds) for seconds in (-1, 0, 604801, 1.5, 3e9, 1e300, "long", "")),
    *(("idempotency_key", key) for key in ("", "k" * 256)),
    *(("idempotency_seconds", seconds) for seconds in (-1, 0, 0.5, 31622401, 1e300, "NaN", "Infinity", "")),
    *(("concurrency_key", key) for key in ("", "k" * 256)),
    *(
        ("retry", policy)
        for policy in (
            {"first": 1},
            {"first_seconds": "1"},
            {"first_seconds": None},
            {"first_seconds": 0},
            {"first_seconds": -1},
            {"first_seconds": 1e-300},
            {"first_seconds": 4000},
            {"first_seconds": 10, "most_seconds": 9},
            {"most_seconds": 4},
            {"most_seconds": 1e300},
            {"factor": 0.5},
            {"factor": 1e300},
            {"factor": [2]},
        )
    ),
    ("traceparent", "0" * 256),
]


@pytest.fixture(scope="module")
def producer(server: Server) -> Iterator[Producer]:
    """Nobody leaves anything in its database: all jobs are refused, or rolled back."""
    with server.create_database() as database, open_producer(database) as opened:
        yield opened


def words_of(field: str) -> str:
    """How a message may name a field."""
    return f"({field}|{field.replace('_', ' ')}|{field.removesuffix('s')}s?)"


@pytest.mark.parametrize(("field", "value"), MALFORMED, ids=lambda value: json.dumps(value)[:40])
def test_a_malformed_field_is_refused_by_place_and_name(field: str, value: object, producer: Producer) -> None:
    good = {"type": "a"}
    with refused("HD422", rf"^job 2: .*\b{words_of(field)}\b"):
        producer.enqueue_jobs(good, good, {"type": "a", field: value}, good)


@pytest.mark.parametrize("field", FIELDS)
def test_a_value_of_another_json_type_is_never_guessed_at(field: str, producer: Producer) -> None:
    assert set(TAKES) == set(FIELDS)
    for kind in set(EXAMPLES) - TAKES[field]:
        with refused("HD422", rf"^job 1: .*\b{words_of(field)}\b"):
            producer.enqueue_jobs({"type": "a"}, {"type": "a", field: EXAMPLES[kind]})
    for kind in TAKES[field]:
        with producer.connection.transaction(force_rollback=True):
            producer.enqueue_jobs({"type": "a"}, {"type": "a", field: EXAMPLES[kind]})


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("type", ["a", "a-b_c.d9", "a" * 63]),
        ("queue", ["a", "9", "A-b_c.D", "a" * 63]),
        ("labels", [[], ["ä b"], ["l" * 63], [f"l{number}" for number in range(20)]]),
        ("run_at", ["0001-01-01T00:00:00Z", "2026-11-25 18:30:00+01", "2026-11-25T18:30", "9999-12-31T00:00:00Z"]),
        ("delay_seconds", [0, 0.000001, 315360000]),
        ("priority", [-100, 0, 100, "5"]),
        ("max_attempts", [1, 100]),
        ("timeout_seconds", [1, 604800]),
        ("idempotency_key", ["k", "k" * 255, "ä" * 255]),
        ("idempotency_seconds", [1, 1.5, 31622400]),
        ("concurrency_key", ["k", "k" * 255]),
        ("retry", [{}, {"first_seconds": 0.001, "factor": 1, "most_seconds": 0.001}, {"factor": 1000}]),
        ("metadata", [{}]),
        ("traceparent", ["0" * 255]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_lies_on_the_border_is_taken(field: str, values: list[object], producer: Producer) -> None:
    with producer.connection.transaction(force_rollback=True):
        rows = producer.enqueue_all([{"type": "a", field: value} for value in values])
        assert len(rows) == len(values)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"priority": 40000}, "priority"),
        ({"priority": 101}, "priority"),
        ({"max_attempts": 0}, "max_attempts"),
        ({"timeout_seconds": -1}, "timeout_seconds"),
        ({"delay_seconds": float("inf")}, "delay_seconds"),
        ({"delay_seconds": float("nan")}, "delay_seconds"),
        ({"idempotency_seconds": float("-inf")}, "idempotency_seconds"),
        ({"idempotency_key": ""}, "idempotency_key"),
        ({"labels": [None]}, "labels"),
        ({"queue": "a b"}, "queue"),
        ({"retry": {"factor": 0}}, "retry"),
    ],
    ids=str,
)
def test_arguments_are_refused_as_fields_are(arguments: dict[str, Any], field: str, producer: Producer) -> None:
    with refused("HD422", rf"^job 0: .*\b{words_of(field)}\b"):
        producer.enqueue("a", **arguments)


def test_a_time_without_an_end_is_refused_as_an_argument_too(producer: Producer) -> None:
    with refused("HD422", "job 0: the run_at 'infinity' is no time"):
        producer.connection.execute("select enqueue('a', run_at => 'infinity')")
    with refused("HD422", "job 0: NULL is no job type"):
        producer.enqueue(None)


@pytest.mark.parametrize("field", ["id", "state", "kind", "run_id", "Type", "payloads", ""])
def test_a_field_that_there_is_not_is_refused_by_name(field: str, producer: Producer) -> None:
    with refused("HD422", f"^job 1: unknown field '{field}'$"):
        producer.enqueue_jobs({"type": "a"}, {"type": "a", field: 1})


@pytest.mark.parametrize(
    ("jobs", "words"),
    [
        ('{"type": "a"}', "jobs must be an array of objects"),
        ("null", "jobs must be an array of objects"),
        ('"a"', "jobs must be an array of objects"),
        ('[{"type": "a"}, "a"]', "job 1 is no object"),
        ('[{"type": "a"}, null]', "job 1 is no object"),
        ('[{"type": "a"}, [{"type": "a"}]]', "job 1 is no object"),
    ],
)
def test_what_is_no_array_of_objects_is_refused(jobs: str, words: str, producer: Producer) -> None:
    with refused("HD422", f"^{re.escape(words)}$"):
        producer.enqueue_all(jobs)


def test_no_array_at_all_is_refused(producer: Producer) -> None:
    with refused("HD422", "jobs must be an array of objects"):
        producer.connection.execute("select * from enqueue_jobs(null)")


def test_a_payload_is_taken_up_to_one_mebibyte_of_text(producer: Producer) -> None:
    quotes = 2
    fits = "x" * (1024 * 1024 - quotes)
    with producer.connection.transaction(force_rollback=True):
        producer.enqueue_jobs({"type": "a", "payload": fits})
    with refused("HD413", "^job 1: the payload has more than 1 MiB$"):
        producer.enqueue_jobs({"type": "a"}, {"type": "a", "payload": fits + "x"})


def test_metadata_is_taken_up_to_64_kibibytes_of_text(producer: Producer) -> None:
    around = len('{"k": ""}')
    fits = "x" * (64 * 1024 - around)
    with producer.connection.transaction(force_rollback=True):
        producer.enqueue_jobs({"type": "a", "metadata": {"k": fits}})
    with refused("HD413", "^job 1: the metadata has more than 64 KiB$"):
        producer.enqueue_jobs({"type": "a"}, {"type": "a", "metadata": {"k": fits + "x"}})


@pytest.mark.parametrize("field", ["payload", "metadata"])
def test_numbers_that_are_short_in_storage_are_measured_as_they_are_written(field: str, producer: Producer) -> None:
    # Ten bytes each as PostgreSQL stores them; a claim would carry 131,072 digits each.
    numbers = ",".join(["1e131071"] * 9)
    with refused("HD413", f"^job 0: the {field} has more than "):
        producer.enqueue_all(f'[{{"type": "a", "{field}": {{"n": [{numbers}]}}}}]')
