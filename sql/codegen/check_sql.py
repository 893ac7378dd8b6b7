"""What the text of a query shows that sqlc does not tell: parameters without a cast, or not rewritten."""

import re
from typing import Final

from sql.codegen.annotations import KNOWN
from sql.codegen.errors import CodegenError
from sql.codegen.request import Column, Query

_COMMENTS: Final = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_QUOTED: Final = re.compile(
    r"""
    [eE]'(?:\\.|[^'\\]|'')*'         # escape string
    | '(?:[^']|'')*'                 # string
    | "(?:[^"]|"")*"                 # quoted name
    | \$([A-Za-z_]*)\$.*?\$\1\$      # dollar-quoted string
    | --[^\n]*                       # comments
    | /\*.*?\*/
    """,
    re.DOTALL | re.VERBOSE,
)
# `@name`, but not the end of an operator: `<@`, `@>`, `@@`.
_UNREWRITTEN: Final = re.compile(r"(?<![@<|#!~&*+\-/=>])@([A-Za-z_]\w*)|\bsqlc\.(\w+)\s*\(")
_PARAMETER: Final = re.compile(r"\$(\d+)(?!\d)(\s*::)?")


def check_sql(query: Query, where: str) -> None:
    """Raise `CodegenError` for a parameter that sqlc has left in the SQL, or that has no cast."""
    _check_trailing_comments(query, where)
    code = _QUOTED.sub("''", query.text)
    if found := _UNREWRITTEN.search(code):
        raise CodegenError(
            f"{where}: sqlc has not rewritten {found.group(0)!r} (it does not look inside MERGE "
            "and JSON_TABLE); use ON CONFLICT, a MERGE inside a WITH, or a function"
        )
    parameters = {parameter.number: parameter for parameter in query.params}
    for parameter in parameters.values():
        _check_swallowed(parameter.column.name, where)
    for reference in _PARAMETER.finditer(code):
        column = parameters[int(reference.group(1))].column
        if column.is_sqlc_slice:
            raise CodegenError(f"{where}: sqlc.slice is for MySQL; write = ANY(@{column.name}::type[])")
        if reference.group(2) is None and not _is_inserted(column, query):
            name = column.name or "name"
            raise CodegenError(
                f"{where}: parameter {name!r} has no cast; write @{name}::type if it is required, "
                f"sqlc.narg('{name}')::type if it may be null, at every use"
            )


def _check_swallowed(name: str, where: str) -> None:
    """To PostgreSQL `@` is an operator, weaker than arithmetic: sqlc takes `@a::int - b` for `@(a - b)`."""
    if re.search(r"\W", name):
        raise CodegenError(
            f"{where}: sqlc took a whole expression for the parameter {name!r}; "
            "put parameters into parentheses where they are added, subtracted … : (@name::type)"
        )


def _is_inserted(column: Column, query: Query) -> bool:
    """Whether a parameter takes its type from the column that it is inserted into."""
    into, source = query.insert_into_table, column.table
    # sqlc qualifies the one and not the other.
    return into is not None and source is not None and into.name == source.name


def _check_trailing_comments(query: Query, where: str) -> None:
    """sqlc takes comment lines out of the SQL and hands them over, but not what follows SQL on its line."""
    for comment in _COMMENTS.findall(query.text):
        words = comment.lstrip("-/* ").split()
        if words and words[0] in KNOWN:
            raise CodegenError(
                f"{where}: {words[0]} stands behind SQL, where it has no effect; give it a line of its own"
            )
