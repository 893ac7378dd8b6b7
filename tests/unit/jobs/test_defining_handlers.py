"""What cannot be a handler is refused where it is written, at import, with the reason."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import timedelta
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta, Struct

from shared.jobs import (
    JobContext,
    JobError,
    PermanentError,
    RetryableError,
    RetryPolicy,
    Snooze,
    batch_handler,
    handler,
)
from shared.jobs.define_handler import defined_handlers
from shared.jobs.describe_handlers import HandlerEntry, describe_handlers


class Letter(Struct):
    to: Annotated[str, Meta(min_length=1)]
    copies: int = 1


class Sent(Struct):
    letter: Letter
    at: float


def entry_of(job_type: str) -> HandlerEntry:
    (entry,) = describe_handlers([defined_handlers[job_type]])
    return entry


async def test_a_handler_can_still_be_called_as_the_function_that_it_is() -> None:
    @handler("send")
    async def send(payload: Letter, context: JobContext) -> Sent:
        return Sent(payload, context.attempt)

    assert await send(Letter("x"), JobContext.for_test()) == Sent(Letter("x"), 1)


def test_the_types_are_read_from_the_annotations_also_as_text() -> None:
    @handler("send")
    def send(payload: "Letter", context: "JobContext") -> "Sent | Snooze | PermanentError":
        raise NotImplementedError

    made = defined_handlers["send"]
    assert (made.payload_type, made.result_type, made.is_async, made.batch_size) == (Letter, Sent, False, None)
    assert made.decode_payload(b'{"to": "me"}') == Letter("me")
    with pytest.raises(msgspec.ValidationError, match=r"at `\$.to`"):
        made.decode_payload(b'{"to": ""}')


@pytest.mark.parametrize("annotation", [None, Snooze, Snooze | None, PermanentError | RetryableError])
def test_errors_that_are_returned_are_no_results(annotation: Any) -> None:
    def nothing(payload: None, context: JobContext) -> None:
        """Do nothing."""

    nothing.__annotations__["return"] = annotation
    handler("nothing")(nothing)
    assert entry_of("nothing").result_schema == {"type": "null"}


def test_a_handler_of_batches_is_known_by_one_payload_and_one_result() -> None:
    @batch_handler("index", most=7)
    async def index(payloads: Sequence[Letter], contexts: Sequence[JobContext]) -> list[Sent | JobError]:
        raise NotImplementedError

    made = defined_handlers["index"]
    assert (made.payload_type, made.result_type, made.batch_size) == (Letter, Sent, 7)
    assert entry_of("index").batch_size == 7
    assert entry_of("index").takes_batches


def no_annotation(payload, context: JobContext) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """Lack one annotation."""


def no_result(payload: None, context: JobContext):  # type: ignore[no-untyped-def]  # noqa: ANN201
    """Lack the result's."""


def one_parameter(payload: None) -> None:
    """Take too little."""


def three_parameters(payload: None, context: JobContext, more: int = 1) -> None:
    """Take too much."""


def keyword_only(payload: None, *, context: JobContext) -> None:
    """Take it the wrong way."""


def any_number(*payload: None) -> None:
    """Take anything."""


def no_context(payload: None, context: dict[str, Any]) -> None:
    """Take something else."""


def no_json(payload: Callable[[], None], context: JobContext) -> None:
    """Take what JSON cannot hold."""


def no_json_result(payload: None, context: JobContext) -> complex:
    """Return it."""
    return 1j


def unknown_name(payload: "Nowhere", context: JobContext) -> None:  # type: ignore[name-defined]  # noqa: F821
    """Name what is not there."""


def yields(payload: None, context: JobContext) -> Iterator[int]:
    """Yield."""
    yield 1


async def yields_async(payload: None, context: JobContext) -> AsyncIterator[int]:
    """Yield."""
    yield 1


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (no_annotation, "no_annotation must say of which type payload is"),
        (no_result, "no_result must say of which type its result is"),
        (one_parameter, r"must take exactly \(payload, context\), not \(payload: None\)"),
        (three_parameters, "must take exactly"),
        (keyword_only, "must take exactly"),
        (any_number, "must take exactly"),
        (no_context, "context is .* but must be JobContext"),
        (no_json, "its payload, .* is nothing that JSON can hold"),
        (no_json_result, "its result, .* is nothing that JSON can hold"),
        (unknown_name, "name 'Nowhere' is not defined"),
        (yields, "yields: a handler returns its result"),
        (yields_async, "yields: a handler returns its result"),
        (Letter, "is not a function"),
    ],
)
def test_a_function_that_cannot_be_a_handler_is_refused(function: Any, told: str) -> None:
    with pytest.raises(TypeError, match=told):
        handler("some.type")(function)
    assert "some.type" not in defined_handlers


def test_a_handler_of_batches_must_take_and_return_sequences() -> None:
    def single(payloads: Letter, contexts: Sequence[JobContext]) -> list[None]:
        raise NotImplementedError

    def pair(payloads: tuple[Letter, Letter], contexts: Sequence[JobContext]) -> list[None]:
        raise NotImplementedError

    def one_result(payloads: list[Letter], contexts: list[JobContext]) -> None:
        raise NotImplementedError

    wrong: list[tuple[Any, str]] = [
        (single, "payloads must be a Sequence"),
        (pair, "payloads must be a Sequence"),
        (one_result, "its result must be a Sequence"),
    ]
    for function, told in wrong:
        with pytest.raises(TypeError, match=told):
            batch_handler("some.type")(function)


def nothing(payload: None, context: JobContext) -> None:
    """Do nothing."""


@pytest.mark.parametrize("name", ["", "Upper", "1st", "with space", "a" * 64, "ümlaut", "trailing\n", "_x"])
def test_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="a type is named by a lower-case letter"):
        handler(name)(nothing)


@pytest.mark.parametrize("name", ["a", "send_letter", "mail.send-2", "a" * 63])
def test_a_good_name_is_taken(name: str) -> None:
    handler(name)(nothing)
    assert name in defined_handlers


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"max_attempts": 0}, ValueError, "max_attempts must be a whole number from 1 to 100, not 0"),
        ({"max_attempts": 101}, ValueError, "max_attempts"),
        ({"max_attempts": "3"}, TypeError, "max_attempts must be a number"),
        ({"max_attempts": True}, TypeError, "max_attempts must be a number"),
        ({"timeout": 0}, ValueError, "timeout, in seconds, must be a whole number from 1 to 604800"),
        ({"timeout": 1.5}, ValueError, "timeout"),
        ({"timeout": timedelta(days=8)}, ValueError, "timeout"),
        ({"timeout": float("nan")}, ValueError, "timeout"),
        ({"retry": 5}, TypeError, "retry must be a RetryPolicy"),
        ({"give_up_on": ValueError}, TypeError, "give_up_on must be a tuple of exception classes"),
        ({"give_up_on": ("ValueError",)}, TypeError, "give_up_on must be a tuple of exception classes"),
        ({"retry_on": [ValueError]}, TypeError, "retry_on must be a tuple of exception classes"),
        ({"retry_on": (RetryableError,)}, TypeError, "RetryableError in retry_on is a JobError"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        handler("some.type", **options)(nothing)
    assert "some.type" not in defined_handlers


@pytest.mark.parametrize("most", [0, 10_001, -1])
def test_a_bad_size_of_batches_is_refused(most: int) -> None:
    def index(payloads: list[None], contexts: list[JobContext]) -> list[None]:
        raise NotImplementedError

    with pytest.raises(ValueError, match="most must be a whole number"):
        batch_handler("some.type", most=most)(index)


def test_a_type_has_one_handler_and_the_error_names_both() -> None:
    def other(payload: None, context: JobContext) -> None:
        """Be another."""

    handler("some.type")(nothing)
    with pytest.raises(
        TypeError, match=r"test_defining_handlers.*other: .*\.nothing is the handler of that type already"
    ):
        handler("some.type")(other)


def test_a_module_that_is_imported_anew_replaces_its_own_handlers() -> None:
    handler("some.type", max_attempts=2)(nothing)
    handler("some.type", max_attempts=3)(nothing)
    assert defined_handlers["some.type"].max_attempts == 3


def test_what_may_be_tried_again_is_as_the_options_say() -> None:
    handler("usual")(nothing)
    handler("gives_up", give_up_on=(LookupError,))(nothing)
    handler("picky", give_up_on=(ConnectionResetError,), retry_on=(OSError,))(nothing)
    errors = [ValueError(), KeyError(), OSError(), ConnectionResetError()]
    may_retry = {name: [defined_handlers[name].may_retry(error) for error in errors] for name in defined_handlers}
    assert may_retry["usual"] == [True, True, True, True]
    assert may_retry["gives_up"] == [True, False, True, True]
    assert may_retry["picky"] == [False, False, True, False]


def test_the_catalog_has_all_that_others_need_to_know() -> None:
    @handler(
        "send",
        max_attempts=4,
        timeout=timedelta(minutes=2),
        retry=RetryPolicy(first_seconds=1.0),
    )
    async def send(payload: Letter, context: JobContext) -> Sent:
        """Send a letter
        to somebody.

        In detail: …
        """
        raise NotImplementedError

    entry = entry_of("send")
    assert entry.summary == "Send a letter to somebody."
    assert (entry.max_attempts, entry.timeout_seconds, entry.retry.first_seconds) == (4, 120, 1.0)
    assert (entry.batch_size, entry.takes_batches) == (1, False)
    assert entry.payload_schema["$defs"]["Letter"]["properties"]["to"] == {"type": "string", "minLength": 1}
    for schema in (entry.payload_schema, entry.result_schema):
        references = [value for key, value in _pairs(schema) if key == "$ref"]
        assert references
        assert all(value.removeprefix("#/$defs/") in schema["$defs"] for value in references)


def test_the_catalog_is_sorted_and_passes_through_messagepack() -> None:
    for name in ("b", "a", "c"):
        handler(name)(nothing)
    entries = describe_handlers(defined_handlers.values())
    assert [entry.job_type for entry in entries] == sorted(entry.job_type for entry in entries)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(entries), type=list[HandlerEntry]) == entries


def _pairs(node: object) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield key, value
            yield from _pairs(value)
    elif isinstance(node, list):
        for value in node:
            yield from _pairs(value)
