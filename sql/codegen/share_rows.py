"""Row Structs that several queries of a package share by `@row Name`."""

from itertools import zip_longest

from msgspec import Struct

from sql.codegen.check_query import CheckedQuery
from sql.codegen.errors import CodegenError
from sql.codegen.type_column import Field, TypeMap


class SharedRow(Struct, frozen=True):
    """A row Struct of rows.py, and the queries that return it."""

    name: str
    columns: tuple[Field, ...]
    queries: tuple[str, ...]


def share_rows(queries: list[CheckedQuery], types: TypeMap) -> list[SharedRow]:
    """Collect the shared rows, in the order of their names.

    Raises `CodegenError` where two queries that name the same row differ in a column.
    """
    enum_classes = {types.enum_class(enum.name).name for enum in types.enums}
    users: dict[str, list[CheckedQuery]] = {}
    for query in queries:
        if query.shared_row is not None:
            users.setdefault(query.shared_row, []).append(query)
    for name, sharing in users.items():
        if name in enum_classes:
            raise CodegenError(f"{_where(sharing[0])}: @row {name}: an enum is called so; choose another name")
        for other in sharing[1:]:
            _check_same_columns(name, sharing[0], other)
    return [
        SharedRow(name, sharing[0].columns, tuple(query.name for query in sharing))
        for name, sharing in sorted(users.items())
    ]


def _where(query: CheckedQuery) -> str:
    return f"{query.topic}.sql: {query.name}"


def _check_same_columns(name: str, first: CheckedQuery, other: CheckedQuery) -> None:
    for ours, theirs in zip_longest(first.columns, other.columns):
        if _shape(ours) != _shape(theirs):
            column = (theirs or ours).name
            raise CodegenError(
                f"{_where(other)}: column {column!r}: @row {name} is not the row of {_where(first)}: "
                f"there {_describe(ours)}, here {_describe(theirs)}; "
                "make the lists of columns the same (@nullable, @notnull, AS), or name another row"
            )


def _shape(field: Field | None) -> object:
    """What must be equal: all but whose word the nullability is."""
    return None if field is None else (field.name, field.element, field.postgres, field.not_null)


def _describe(field: Field | None) -> str:
    if field is None:
        return "no further column"
    return f"{field.name} {field.postgres}{' not null' if field.not_null else ''} as {field.annotation}"
