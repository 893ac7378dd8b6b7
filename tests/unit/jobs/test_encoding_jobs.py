"""Jobs are sent as they were meant: what JSON or PostgreSQL would change without a word is refused, by place."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from shared.jobs import InvalidJobError, NewJob, PayloadTooLargeError, RetryPolicy
from shared.jobs import encode_jobs as module
from shared.jobs.encode_jobs import encode_jobs

ROUND_TRIP = {
    "type": "note",
    "payload": {"text": "é\U0001f418"},
    "queue": "mail",
    "labels": ["gpu"],
    "delay_seconds": 1.5,
    "priority": -3,
    "max_attempts": 4,
    "timeout_seconds": 90,
    "idempotency_key": "k",
    "idempotency_seconds": 60,
    "concurrency_key": "c",
    "retry": {"first_seconds": 1.0, "factor": 2.0, "most_seconds": 3600.0},
    "metadata": {"order": 7},
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
}


def sent(**fields: Any) -> dict[str, Any]:
    (job,) = msgspec.json.decode(encode_jobs([NewJob(type="note", **fields)]))
    return dict(job)


def test_every_field_is_sent_by_its_name_in_the_schema() -> None:
    fields: dict[str, Any] = {name: value for name, value in ROUND_TRIP.items() if name != "type"}
    fields |= {"delay": fields.pop("delay_seconds"), "timeout": fields.pop("timeout_seconds")}
    assert sent(**fields | {"retry": RetryPolicy(first_seconds=1)}) == ROUND_TRIP
    assert fields.keys() | {"type", "run_at"} == set(NewJob.__struct_fields__)


def test_what_is_left_out_is_not_sent() -> None:
    assert encode_jobs([NewJob(type="note")]) == b'[{"type":"note"}]'


@pytest.mark.parametrize(
    ("given", "number"), [(timedelta(minutes=1, seconds=30), 90), (90.0, 90), (90, 90), (timedelta(seconds=1.5), 1.5)]
)
def test_durations_are_sent_in_seconds(given: Any, number: float) -> None:
    fields = sent(delay=given, timeout=given)
    assert (fields["delay_seconds"], fields["timeout_seconds"]) == (number, number)
    assert isinstance(fields["timeout_seconds"], type(number))


def test_a_time_keeps_its_moment() -> None:
    in_india = datetime(2031, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert datetime.fromisoformat(sent(run_at=in_india)["run_at"]) == in_india


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"run_at": datetime(2031, 1, 1)}, "run_at without a time zone. Give it one"),  # noqa: DTZ001 - on purpose
        ({"run_at": datetime(2031, 1, 1, tzinfo=UTC), "delay": 1}, "both run_at and delay. Give one of them"),
        ({"delay": float("nan")}, "delay of nan"),
        ({"timeout": float("inf")}, "timeout of inf"),
        ({"idempotency_seconds": 10**400}, "idempotency_seconds of 1000"),
        ({"delay": "1"}, "delay of '1'. Give a number of seconds"),
        ({"payload": msgspec.Raw(b'1}, {"type": "other"')}, "raw payload that is not JSON"),
        ({"payload": msgspec.Raw(b'"\xff"')}, "raw payload that is not JSON"),
        ({"payload": msgspec.Raw(b"[" * 9999 + b"]" * 9999)}, "raw payload that is not JSON"),
    ],
)
def test_what_the_encoding_would_hide_is_refused_at_once(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidJobError, match=message) as caught:
        NewJob(type="note", **fields)
    assert "'note' job" in str(caught.value)
    assert caught.value.code == "HD422"


def test_json_that_is_there_already_is_sent_as_it_stands() -> None:
    assert encode_jobs([NewJob(type="note", payload=msgspec.Raw(b"[1.0, 2]"))]).endswith(b'"payload":[1.0, 2]}]')


@dataclass
class Page:
    text: str


def test_structs_and_dataclasses_become_objects() -> None:
    assert sent(payload=[Page("a"), RetryPolicy()])["payload"][0] == {"text": "a"}


endless: list[Any] = []
endless.append(endless)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("payload", object()),
        ("payload", {"n": 10**5000}),
        ("payload", "\ud800"),
        ("payload", endless),
        ("metadata", {"at": {1j}}),
    ],
    ids=["object", "number", "surrogate", "endless", "complex"],
)
def test_what_is_no_json_is_refused_by_place_and_field(field: str, value: object) -> None:
    wrong = NewJob(type="note", **{field: value})  # type: ignore[arg-type]
    with pytest.raises(InvalidJobError, match=rf"^job 1: its {field} cannot be encoded as JSON: ") as caught:
        encode_jobs([NewJob(type="note"), wrong])
    assert caught.value.place == 1


@pytest.mark.parametrize("fields", [{"payload": {"a\0": 1}}, {"payload": ["\\\0"]}, {"idempotency_key": "\0"}])
def test_nul_is_refused_by_place(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidJobError, match=r"^job 1: a text in it holds NUL\. ") as caught:
        encode_jobs([NewJob(type="note"), NewJob(type="note", **fields)])
    assert caught.value.place == 1


@pytest.mark.parametrize("text", ["\\u0000", "a\\\\u0000", "\\"])
def test_text_that_only_spells_an_escape_is_no_nul(text: str) -> None:
    assert sent(payload=text)["payload"] == text


def test_more_than_one_call_can_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_BYTES", 100)
    with pytest.raises(PayloadTooLargeError, match=r"Enqueue fewer at a time") as caught:
        encode_jobs([NewJob(type="note")] * 8)
    assert (caught.value.code, caught.value.place) == ("HD413", None)
