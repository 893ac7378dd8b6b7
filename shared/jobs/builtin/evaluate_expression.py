"""Evaluating a JMESPath expression at a bounded cost.

The language has no loops, yet a short expression can double what it holds with every step, or walk through
everything once for everything. So each part that is visited, each element that is copied and each few characters
that are written cost a step, and the steps are counted before they are made.
"""

from collections.abc import Iterable
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
from jmespath.functions import Functions
from jmespath.parser import Parser
from jmespath.visitor import Options, TreeInterpreter

from shared.errors import HowdahError
from shared.jobs.builtin.measure_value import measure_value

MOST_STEPS: Final = 1_000_000
_CHARACTERS_A_STEP: Final = 4
_EXCERPT: Final = 40
# They take the same time whatever they are given.
_CHEAP: Final = frozenset({"length", "not_null", "to_array", "type"})

Node = Any  # of the parser's own, which its types keep to themselves


class ExpressionError(HowdahError):
    """The expression is malformed, does not fit the data, or costs too much; the message says where."""


def evaluate_expression(expression: str, data: Any, *, most_steps: int = MOST_STEPS) -> Any:
    """Return what the expression makes of the data.

    The result may hold parts of the data and the same part many times; see `measure_value`.
    Raises `ExpressionError`.
    """
    try:
        parsed = Parser().parse(expression).parsed
        return _Interpreter(_Budget(most_steps)).visit(parsed, data)
    except JMESPathError as error:
        raise ExpressionError(_describe(error, expression)) from None
    except RecursionError:
        raise ExpressionError("the expression, or what it makes, is nested too deeply") from None
    except (TypeError, ValueError, ArithmeticError) as error:
        # Values that the language knows but Python does not compare, round or count.
        raise ExpressionError(f"the expression cannot be evaluated: {str(error)[:200]}") from None


class _Budget:
    """The steps that are left."""

    def __init__(self, steps: int) -> None:
        self._all = self._left = steps

    def spend(self, steps: int) -> None:
        """Take so many.

        Raises `ExpressionError` when that is more than there are.
        """
        self._left -= steps
        if self._left < 0:
            raise ExpressionError(f"the expression takes more than {self._all:,} steps on this data")

    def spend_on(self, value: Any) -> None:
        """Take what it costs to walk through a value's first level."""
        match value:
            case str():
                self.spend(len(value) // _CHARACTERS_A_STEP)
            case list() | dict():
                self.spend(len(value))

    def spend_on_all_of(self, value: Any) -> None:
        """Take what it costs to walk through all of a value, written out."""
        self.spend(measure_value(value) // _CHARACTERS_A_STEP)


class _BoundedFunctions(Functions):
    def __init__(self, budget: _Budget) -> None:
        self._budget = budget

    def call_function(self, function_name: str, resolved_args: Iterable[Any]) -> Any:
        arguments = list(resolved_args)
        if function_name not in _CHEAP:
            for argument in arguments:
                self._budget.spend_on(argument)
        match function_name, arguments:
            case "join", [str() as separator, list() as parts]:
                length = sum(len(part) for part in parts if isinstance(part, str)) + len(separator) * len(parts)
                self._budget.spend(length // _CHARACTERS_A_STEP)
            case "to_string", [list() | dict() as value]:
                self._budget.spend_on_all_of(value)
            case "contains", [list() as value, _]:
                self._budget.spend_on_all_of(value)
        result = super().call_function(function_name, arguments)
        if function_name not in _CHEAP:
            self._budget.spend_on(result)
        return result


class _Interpreter(TreeInterpreter):
    def __init__(self, budget: _Budget) -> None:
        super().__init__(Options(custom_functions=_BoundedFunctions(budget)))
        self._budget = budget

    def visit(self, node: Node, *args: Any, **kwargs: Any) -> Any:
        self._budget.spend(1)
        return super().visit(node, *args, **kwargs)

    def visit_flatten(self, node: Node, value: Any) -> Any:
        [nested] = (self.visit(child, value) for child in node["children"])
        if isinstance(nested, list):
            self._budget.spend(sum(len(element) for element in nested if isinstance(element, list)))
        return super().visit_flatten(_with_values(node, nested), value)

    def visit_slice(self, node: Node, value: Any) -> Any:
        self._budget.spend_on(value)
        return super().visit_slice(node, value)

    def visit_comparator(self, node: Node, value: Any) -> Any:
        left, right = (self.visit(child, value) for child in node["children"])
        if isinstance(left, list | dict) and isinstance(right, list | dict):
            self._budget.spend_on_all_of(left)
        return super().visit_comparator(_with_values(node, left, right), value)


def _with_values(node: Node, *values: Any) -> Node:
    """Return a node whose children have been visited already."""
    return {**node, "children": [{"type": "literal", "value": value, "children": []} for value in values]}


def _describe(error: JMESPathError, expression: str) -> str:
    """Say what is wrong and where, without the data: what the library says repeats the value."""
    match error:
        case JMESPathTypeError():
            expected = " or ".join(error.expected_types)
            return f"{error.function_name}() takes {expected}, and was given {error.actual_type}"
        case ArityError():
            least = "at least " if isinstance(error, VariadictArityError) else ""
            return f"{error.function_name}() takes {least}{error.expected_arity} arguments, not {error.actual_arity}"
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
