"""One query, checked against the house rules and typed: all that rendering needs, no more to refuse."""

import re
from collections import Counter
from typing import Final, Literal

from msgspec import Struct

from sql.codegen.annotations import Annotations, read_annotations
from sql.codegen.check_sql import check_sql
from sql.codegen.errors import CodegenError
from sql.codegen.naming import to_snake_case
from sql.codegen.request import Query
from sql.codegen.type_column import Field, TypeMap, type_parameter, type_result_column

Command = Literal[":one", ":many", ":exec", ":execrows"]

_COMMANDS: Final[tuple[Command, ...]] = (":one", ":many", ":exec", ":execrows")
_INSTEAD: Final = {
    ":copyfrom": "use :execrows with INSERT … SELECT FROM ROWS FROM (unnest(@a::type[]), …)",
    ":batchexec": "write one statement over arrays: ROWS FROM (unnest(@a::type[]), …)",
    ":batchmany": "write one :many statement over arrays: ROWS FROM (unnest(@a::type[]), …)",
    ":batchone": "write one :many statement over arrays: ROWS FROM (unnest(@a::type[]), …)",
    ":execresult": "use :execrows, or RETURNING with :many",
    ":execlastid": "use RETURNING with :one",
}


class CheckedQuery(Struct, frozen=True):
    """A query that can be rendered."""

    name: str
    # The file that it is in, without `.sql`: the module that it goes to.
    topic: str
    command: Command
    sql: str
    documentation: tuple[str, ...]
    parameters: tuple[Field, ...]
    # Empty for :exec and :execrows.
    columns: tuple[Field, ...]
    # Name of the row Struct that it shares with other queries.
    shared_row: str | None
    # Whether finding no row is a LookupError.
    required: bool

    @property
    def function(self) -> str:
        """Name of the generated function."""
        return to_snake_case(self.name)

    @property
    def is_scalar(self) -> bool:
        """Whether a row is given as its one value."""
        return len(self.columns) == 1 and self.shared_row is None

    @property
    def row(self) -> str:
        """Name of the row Struct."""
        return self.shared_row or f"{self.name}Row"


def check_query(query: Query, types: TypeMap) -> CheckedQuery:
    """Check and type a query; raise `CodegenError`, which names the file, the query and the column."""
    where = f"{query.filename}: {query.name}"
    if not re.fullmatch(r"[A-Z][A-Za-z0-9]*", query.name):
        raise CodegenError(f"{where}: write the name in PascalCase: a function and a Struct are named by it")
    command = next((known for known in _COMMANDS if known == query.cmd), None)
    if command is None:
        instead = _INSTEAD.get(query.cmd, "use :one, :many, :exec or :execrows")
        raise CodegenError(f"{where}: {query.cmd} is not supported; {instead}")
    notes = read_annotations(query.comments, where)
    check_sql(query, where)
    returns_rows = command in (":one", ":many")
    if returns_rows and not query.columns:
        raise CodegenError(f"{where}: {command} without a result; add RETURNING, or use :exec or :execrows")
    parameters = [
        type_parameter(parameter.column, types, notes, where)
        for parameter in sorted(query.params, key=lambda parameter: parameter.number)
    ]
    columns = [type_result_column(column, types, notes, where) for column in query.columns] if returns_rows else []
    _check_unique(parameters, f"{where}: two parameters", "name each with @name")
    _check_unique(columns, f"{where}: two columns", "give one of them an alias")
    _check_notes(notes, command, parameters, columns, where)
    checked = CheckedQuery(
        name=query.name,
        topic=query.filename.removesuffix(".sql"),
        command=command,
        sql=query.text,
        documentation=notes.documentation,
        parameters=tuple(parameters),
        columns=tuple(columns),
        shared_row=notes.row,
        required=notes.required,
    )
    if command == ":one" and checked.is_scalar and not checked.required and not columns[0].not_null:
        raise CodegenError(
            f"{where}: column {columns[0].name!r}: null and no row would both be None; "
            "add -- @required if there always is a row, or return a second column"
        )
    return checked


def _check_unique(fields: list[Field], what: str, instead: str) -> None:
    for name, count in Counter(field.name for field in fields).items():
        if count > 1:
            raise CodegenError(f"{what} are called {name!r}; {instead}")


def _check_notes(
    notes: Annotations, command: Command, parameters: list[Field], columns: list[Field], where: str
) -> None:
    """An annotation that has no effect is a mistake."""
    column_names = {field.name for field in columns}
    for annotation, names in (("@nullable", notes.nullable), ("@notnull", notes.not_null)):
        if unknown := sorted(names - column_names):
            raise CodegenError(f"{where}: {annotation} {unknown[0]}: the result has no such column")
    if unknown := sorted(notes.array_texts - {field.name for field in parameters}):
        raise CodegenError(f"{where}: @arraytext {unknown[0]}: there is no such parameter")
    json_names = {field.name for field in (*parameters, *columns) if field.is_json}
    if unknown := sorted(notes.json_types.keys() - json_names):
        raise CodegenError(f"{where}: @json {unknown[0]}: no column or parameter of that name is JSON")
    if notes.required and command != ":one":
        raise CodegenError(f"{where}: @required is for :one, not for {command}")
    if notes.row and not columns:
        raise CodegenError(f"{where}: @row is for :one and :many, not for {command}")
