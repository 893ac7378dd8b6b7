"""Evaluating a JMESPath expression at a bounded cost."""

from typing import Any, Final

from jmespath.exceptions import (
    ArityError,
    IncompleteExpressionError,
    JMESPathError,
    JMESPathTypeError,
    LexerError,
    ParseError,
    VariadictArityError,
)
from jmespath.parser import Parser

from shared.errors import HowdahError
from shared.jobs.builtin.count_steps import Budget, CountingInterpreter, OutOfStepsError

MOST_STEPS: Final = 1_000_000
_EXCERPT: Final = 40


class ExpressionError(HowdahError):
    """The expression is malformed, does not fit the data, or costs too much; the message says where."""


def evaluate_expression(expression: str, data: Any, *, most_steps: int = MOST_STEPS) -> Any:
    """Return what the expression makes of the data.

    The result may hold parts of the data and the same part many times; see `measure_value`.
    Raises `ExpressionError`.
    """
    try:
        parsed = Parser().parse(expression).parsed
        return CountingInterpreter(Budget(most_steps)).visit(parsed, data)
    except OutOfStepsError as error:
        raise ExpressionError(str(error)) from None
    except JMESPathError as error:
        raise ExpressionError(_describe(error, expression)) from None
    except RecursionError:
        raise ExpressionError("the expression, or what it makes, is nested too deeply") from None
    except (TypeError, ValueError, ArithmeticError) as error:
        # Values that the language knows but Python does not compare, round or count.
        raise ExpressionError(f"the expression cannot be evaluated: {str(error)[:200]}") from None


def _describe(error: JMESPathError, expression: str) -> str:
    """Say what is wrong and where, without the data: what the library says repeats the value."""
    match error:
        case JMESPathTypeError():
            expected = " or ".join(error.expected_types)
            return f"{error.function_name}() takes {expected}, and was given {error.actual_type}"
        case ArityError():
            least = "at least " if isinstance(error, VariadictArityError) else ""
            number = f"{error.expected_arity} argument{'' if error.expected_arity == 1 else 's'}"
            return f"{error.function_name}() takes {least}{number}, not {error.actual_arity}"
        case IncompleteExpressionError() | ParseError(token_type="EOF"):
            return f"the expression ends too early: {_excerpt(expression, len(expression))}"
        case LexerError():
            return f"{error.message}: {_excerpt(expression, error.lexer_position)}"
        case ParseError():
            return f"unexpected {error.token_value!r}: {_excerpt(expression, error.lex_position)}"
        case _:
            return str(error)[:200]


def _excerpt(expression: str, position: int) -> str:
    """Return the place: its number, counted from one, and what stands there."""
    before = expression[max(position - _EXCERPT, 0) : position]
    after = expression[position : position + _EXCERPT]
    place = [f"character {position + 1}"]
    place += [f"{word} {text!r}" for word, text in (("after", before), ("at", after)) if text]
    return ", ".join(place)
