"""PostgreSQL's text of an array, for parameters of statements that are repeated too often to have lists dumped.

Source: the documentation of PostgreSQL, "Array Input and Output Syntax".
"""

from collections.abc import Iterable
from typing import NewType

ArrayText = NewType("ArrayText", str)


def array_text(elements: Iterable[str]) -> ArrayText:
    """Return the text of an array of numbers, ids, or whatever else needs no quotes."""
    return ArrayText("{" + ",".join(elements) + "}")


def quoted_array_text(elements: Iterable[str]) -> ArrayText:
    """Return the text of an array of any texts."""
    return array_text(['"' + element.replace("\\", "\\\\").replace('"', '\\"') + '"' for element in elements])
