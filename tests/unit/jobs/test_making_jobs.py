"""A handler makes jobs of its own type, of payloads that it takes; a type checker sees wrong ones before."""

import inspect
import typing
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
import pytest

from shared.jobs import InvalidJobError, JobContext, NewJob, RetryPolicy, batch_handler, handler
from shared.jobs.define_handler import defined_handlers
from shared.jobs.new_job import JobOptions


class Invoice(msgspec.Struct):
    order_id: Annotated[int, msgspec.Meta(ge=1)]
    address: str = ""


@dataclass
class Document:
    path: str


@handler("making-jobs.send_invoice")
async def send_invoice(payload: Invoice, context: JobContext) -> str:
    """Write an invoice."""
    return f"{payload.order_id} of {context.job_type}"


@handler("making-jobs.count")
def count(payload: list[int] | None, context: JobContext) -> int:
    return len(payload or ())


@batch_handler("making-jobs.index")
def index(payloads: Sequence[Document], contexts: Sequence[JobContext]) -> list[str]:
    return [payload.path for payload in payloads]


@batch_handler("making-jobs.index_lists")
async def index_lists(payloads: list[Document], contexts: list[JobContext]) -> list[str]:
    return [payload.path for payload in payloads]


def test_a_job_has_its_handlers_type_the_payload_and_the_options() -> None:
    retry = RetryPolicy(first_seconds=1)
    job = send_invoice.job(Invoice(7), idempotency_key="order-7", queue="mail", retry=retry, labels=["gpu"])
    assert job == NewJob(
        type="making-jobs.send_invoice",
        payload=Invoice(7),
        idempotency_key="order-7",
        queue="mail",
        retry=retry,
        labels=["gpu"],
    )


def test_a_batch_handler_makes_a_job_of_one_payload() -> None:
    assert index.job(Document("a")) == NewJob(type="making-jobs.index", payload=Document("a"))
    assert index_lists.job(Document("a")).type == "making-jobs.index_lists"


def test_a_payload_of_no_type_may_be_none() -> None:
    assert count.job(None).payload is None
    assert count.job([1]).payload == [1]


# Each ignored error is one that mypy must find: it reports an ignore that ignores nothing.
def test_a_payload_of_another_type_is_refused_by_the_type_checker_and_when_it_runs() -> None:
    with pytest.raises(InvalidJobError, match=r"no payload of the type 'making-jobs.send_invoice': .*order_id"):
        send_invoice.job(Document("a"))  # type: ignore[arg-type]
    with pytest.raises(InvalidJobError, match=r"`int`, got `str` - at `\$\[0\]`"):
        count.job(["1"])  # type: ignore[list-item]
    with pytest.raises(InvalidJobError, match="path"):
        index.job(Invoice(7))  # type: ignore[arg-type]
    with pytest.raises(InvalidJobError, match="unsupported"):
        send_invoice.job(object())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="colour"):
        send_invoice.job(Invoice(7), colour="red")  # type: ignore[call-arg]


def test_a_payload_that_breaks_a_constraint_is_refused() -> None:
    with pytest.raises(InvalidJobError, match=r">= 1 - at `\$.order_id`"):
        send_invoice.job(Invoice(0))


async def test_a_handler_is_called_like_the_function_that_it_is() -> None:
    context = JobContext.for_test()
    assert await send_invoice(Invoice(7), context) == "7 of test"
    assert count([1, 2], context) == 2
    assert index([Document("a"), Document("b")], [context, context]) == ["a", "b"]


def test_tools_that_look_at_functions_see_the_handlers_own() -> None:
    assert (send_invoice.__name__, send_invoice.__doc__) == ("send_invoice", "Write an invoice.")  # type: ignore[attr-defined]
    assert list(inspect.signature(send_invoice).parameters) == ["payload", "context"]
    assert typing.get_type_hints(send_invoice)["payload"] is Invoice
    assert inspect.iscoroutinefunction(inspect.unwrap(send_invoice))


def test_executors_call_the_bare_function() -> None:
    assert defined_handlers["making-jobs.send_invoice"].function is send_invoice.function
    assert inspect.iscoroutinefunction(send_invoice.function)


def test_a_function_that_serves_two_types_makes_jobs_of_either() -> None:
    other: Any = handler("making-jobs.remind")(send_invoice)
    assert other.job(Invoice(7)).type == "making-jobs.remind"
    assert send_invoice.job(Invoice(7)).type == "making-jobs.send_invoice"


def test_the_options_are_the_fields_of_a_new_job() -> None:
    assert JobOptions.__annotations__.keys() == set(NewJob.__struct_fields__) - {"type", "payload"}
    hints, wanted = typing.get_type_hints(JobOptions), typing.get_type_hints(NewJob)
    assert hints == {name: wanted[name] for name in hints}
    assert send_invoice.job(Invoice(7), run_at=datetime(2031, 1, 1, tzinfo=UTC)).run_at is not None
