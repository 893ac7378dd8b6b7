"""Read from a handler's annotations what its payload and its result are."""

import inspect
import types
from collections.abc import Callable
from typing import Any, Union, get_args, get_origin, get_type_hints

from msgspec import Struct

from shared.jobs.errors import JobError
from shared.jobs.job_context import JobContext

_MISSING: Any = object()


class Signature(Struct, frozen=True):
    """The types of one handler, as annotations."""

    payload: Any
    result: Any
    is_async: bool


def read_signature(function: Callable[..., object], *, batch: bool) -> Signature:
    """Return the types of a handler; of one payload and one result when it takes batches.

    Raises TypeError for anything but ``(payload: P, context: JobContext) -> R``, or, for a batch,
    ``(payloads: Sequence[P], contexts: Sequence[JobContext]) -> Sequence[R]``.
    """
    name = describe_function(function)
    if not inspect.isroutine(function):
        raise TypeError(f"{name} is not a function")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{name} yields: a handler returns its result")
    parameters = list(inspect.signature(function).parameters.values())
    positional = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    if len(parameters) != 2 or any(parameter.kind not in positional for parameter in parameters):
        wanted = "(payloads, contexts)" if batch else "(payload, context)"
        raise TypeError(f"{name} must take exactly {wanted}, not {inspect.signature(function)}")
    hints = _hints_of(function, name)
    payload, context = (hints.get(parameter.name, _MISSING) for parameter in parameters)
    result = hints.get("return", _MISSING)
    for what, found in ((parameters[0].name, payload), (parameters[1].name, context), ("its result", result)):
        if found is _MISSING:
            raise TypeError(f"{name} must say of which type {what} is: annotate it (None, where there is nothing)")
    if batch:
        payload, context, result = (
            _element(hint, name, what)
            for hint, what in ((payload, parameters[0].name), (context, parameters[1].name), (result, "its result"))
        )
    if context is not JobContext:
        raise TypeError(f"{name}: {parameters[1].name} is {context!r}, but must be JobContext")
    return Signature(
        payload=_plain_none(payload),
        result=_without_errors(result),
        is_async=inspect.iscoroutinefunction(function),
    )


def describe_function(function: Callable[..., object]) -> str:
    """Return how an error names a function: where it is to be found."""
    module = getattr(function, "__module__", None)
    qualified = getattr(function, "__qualname__", None)
    return f"{module}.{qualified}" if module and qualified else repr(function)


def _hints_of(function: Callable[..., object], name: str) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except NameError as error:
        raise TypeError(
            f"{name}: its annotations cannot be read: {error} (types must be importable at run time, from the module's "
            "top level, not only under TYPE_CHECKING)"
        ) from error


def _element(hint: Any, name: str, what: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return arguments[0]
    if isinstance(origin, type) and origin is not tuple and issubclass(list, origin) and len(arguments) == 1:
        return arguments[0]
    raise TypeError(f"{name} takes batches, so {what} must be a Sequence[…] of one type, not {hint!r}")


def _without_errors(hint: Any) -> Any:
    """Drop the errors from ``Result | Snooze``: they are outcomes of their own, not results."""
    if get_origin(hint) not in {Union, types.UnionType}:
        members: tuple[Any, ...] = (hint,)
    else:
        members = get_args(hint)
    results = [member for member in members if not (isinstance(member, type) and issubclass(member, JobError))]
    if not results:
        return type(None)
    return Union[tuple(_plain_none(member) for member in results)]  # noqa: UP007 - made from a tuple


def _plain_none(hint: Any) -> Any:
    return type(None) if hint is None else hint
