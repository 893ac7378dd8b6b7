"""An interpreter of JMESPath that counts what an expression costs, and stops before it costs too much.

The language has no loops, yet a short expression can double what it holds with every step, or walk through
everything once for everything. So each part that is visited, each element that is copied and each few characters
that are read or written cost a step. What can grow by more than its parts is counted before it is made.
"""

from collections.abc import Iterable
from typing import Any, Final

from jmespath.functions import Functions
from jmespath.visitor import Options, TreeInterpreter

from shared.errors import HowdahError
from shared.jobs.builtin.measure_value import measure_value

_WRITTEN_A_STEP: Final = 4
_READ_A_STEP: Final = 64
# They take the same time whatever they are given.
_CHEAP: Final = frozenset({"length", "not_null", "to_array", "type"})

Node = Any  # of the parser's own, which its types keep to themselves


class OutOfStepsError(HowdahError):
    """The expression takes more steps than it has."""


class Budget:
    """The steps that are left."""

    def __init__(self, steps: int) -> None:
        self._all = self._left = steps

    def spend(self, steps: int) -> None:
        """Take so many.

        Raises `OutOfStepsError` when that is more than there are.
        """
        self._left -= steps
        if self._left < 0:
            raise OutOfStepsError(f"the expression takes more than {self._all:,} steps on this data")

    def spend_on(self, value: Any) -> None:
        """Take what it costs to walk through a value and what it holds, but no deeper."""
        match value:
            case str():
                self.spend(len(value) // _READ_A_STEP)
            case list():
                characters = sum(len(element) for element in value if isinstance(element, str))
                self.spend(len(value) + characters // _READ_A_STEP)
            case dict():
                self.spend(len(value))

    def spend_on_writing(self, characters: int) -> None:
        """Take what it costs to write so many."""
        self.spend(characters // _WRITTEN_A_STEP)

    def spend_on_all_of(self, value: Any) -> None:
        """Take what it costs to walk through all of a value, as often as it would be written out."""
        self.spend_on_writing(measure_value(value))


class _CountedFunctions(Functions):
    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    def call_function(self, function_name: str, resolved_args: Iterable[Any]) -> Any:
        arguments = list(resolved_args)
        if function_name not in _CHEAP:
            for argument in arguments:
                self._budget.spend_on(argument)
        match function_name, arguments:
            case "join", [str() as separator, list() as parts]:
                characters = sum(len(part) for part in parts if isinstance(part, str))
                self._budget.spend_on_writing(characters + len(separator) * len(parts))
            case "to_string", [list() | dict() as value]:
                self._budget.spend_on_all_of(value)
            case "contains", [list() as value, _]:
                self._budget.spend_on_all_of(value)
            case "reverse", [str() as value]:
                self._budget.spend_on_writing(len(value))
        return super().call_function(function_name, arguments)


class CountingInterpreter(TreeInterpreter):
    """Evaluates what jmespath has parsed, and counts."""

    def __init__(self, budget: Budget) -> None:
        super().__init__(Options(custom_functions=_CountedFunctions(budget)))
        self._budget = budget

    def visit(self, node: Node, *args: Any, **kwargs: Any) -> Any:
        """Visit a node."""
        self._budget.spend(1)
        found = super().visit(node, *args, **kwargs)
        if isinstance(found, str):
            # Whoever asked for it will read it.
            self._budget.spend_on(found)
        return found

    def visit_flatten(self, node: Node, value: Any) -> Any:
        """Merge lists in a list, if they are not too long together."""
        [nested] = (self.visit(child, value) for child in node["children"])
        if isinstance(nested, list):
            self._budget.spend(sum(len(element) if isinstance(element, list) else 1 for element in nested))
        return super().visit_flatten(_with_values(node, nested), value)

    def visit_slice(self, node: Node, value: Any) -> Any:
        """Copy a part of a list."""
        self._budget.spend_on(value)
        return super().visit_slice(node, value)

    def visit_comparator(self, node: Node, value: Any) -> Any:
        """Compare two values, if they are not too large."""
        left, right = (self.visit(child, value) for child in node["children"])
        if isinstance(left, list | dict) and isinstance(right, list | dict):
            self._budget.spend_on_all_of(left)
        return super().visit_comparator(_with_values(node, left, right), value)


def _with_values(node: Node, *values: Any) -> Node:
    """Return a node whose children have been visited already."""
    return {**node, "children": [{"type": "literal", "value": value, "children": []} for value in values]}
