"""The handler `transform`: a JMESPath expression over the payload's data."""

from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from shared.jobs import JobContext, PermanentError, handler

MOST_RESULT_CHARACTERS: Final = 1024 * 1024


class Transform(Struct, frozen=True, forbid_unknown_fields=True):
    """What to apply, and to what."""

    # See https://jmespath.org.
    expression: Annotated[str, Meta(min_length=1, max_length=8192)]
    data: Any = None


# Sync, hence in a thread: a costly expression takes a second, in which others are served.
@handler("transform", timeout=60)
def transform(payload: Transform, context: JobContext) -> Any:  # noqa: ARG001 - every handler has one
    """Return what a JMESPath expression makes of the data."""
    from shared.jobs.builtin.evaluate_expression import (  # noqa: PLC0415 - loaded when first used
        ExpressionError,
        evaluate_expression,
    )
    from shared.jobs.builtin.measure_value import NoJsonValueError, measure_value  # noqa: PLC0415

    try:
        result = evaluate_expression(payload.expression, payload.data)
        size = measure_value(result)
    except ExpressionError as error:
        raise PermanentError(str(error), reason="bad_expression") from None
    except (NoJsonValueError, RecursionError):
        raise PermanentError(
            "the result is no JSON value: it holds an expression reference (&), or is nested too deeply",
            reason="bad_expression",
        ) from None
    if size > MOST_RESULT_CHARACTERS:
        raise PermanentError("the result has more than 1 MiB", reason="result_too_large")
    return result
