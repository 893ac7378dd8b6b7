"""Queries share a row only if all of its columns are the same, in the same order."""

from collections.abc import Sequence

import pytest

from sql.codegen.check_query import CheckedQuery
from sql.codegen.errors import CodegenError
from sql.codegen.options import Options, PythonName
from sql.codegen.request import Enum
from sql.codegen.share_rows import share_rows
from sql.codegen.type_column import Field, TypeMap

TEXT = PythonName("builtins", "str")
NAME = Field("name", TEXT, 0, "text", not_null=True)
NOTE = Field("note", TEXT, 0, "text", not_null=False)
TYPES = TypeMap(
    Options("library", "library", rename={}, json_types={}, id_types={}),
    enums=(Enum("loan_state", ("out",)),),
)


def query(name: str, row: str, columns: Sequence[Field]) -> CheckedQuery:
    return CheckedQuery(name, name.lower(), ":many", "", (), (), tuple(columns), row, required=False)


def test_equal_columns_are_shared() -> None:
    queries = [
        query("A", "Reader", [NAME, NOTE]),
        query("B", "Other", [NAME]),
        query("C", "Reader", [NAME, NOTE]),
    ]
    assert [(row.name, row.columns, row.queries) for row in share_rows(queries, TYPES)] == [
        ("Other", (NAME,), ("B",)),
        ("Reader", (NAME, NOTE), ("A", "C")),
    ]


def test_whose_word_the_nullability_is_does_not_matter() -> None:
    asserted = Field("name", TEXT, 0, "text", not_null=True, asserted=True)
    share_rows([query("A", "Reader", [NAME]), query("B", "Reader", [asserted])], TYPES)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ([NOTE, NAME], "b.sql: B: column 'note': .* there name text not null as str, here note text as str"),
        ([NAME], "b.sql: B: column 'note': .* there note text as str . None, here no further column"),
        ([NAME, NOTE, NAME], "b.sql: B: column 'name': .* there no further column, here name"),
        ([NAME, Field("note", TEXT, 0, "text", not_null=True)], "here note text not null as str"),
        ([NAME, Field("note", TEXT, 0, "varchar", not_null=False)], "here note varchar as str"),
        ([NAME, Field("note", PythonName("uuid", "UUID"), 0, "text", not_null=False)], "as UUID"),
    ],
)
def test_difference_names_both_queries_and_the_column(columns: list[Field], message: str) -> None:
    with pytest.raises(CodegenError, match=message) as refused:
        share_rows([query("A", "Reader", [NAME, NOTE]), query("B", "Reader", columns)], TYPES)
    assert "@row Reader is not the row of a.sql: A" in str(refused.value)


def test_row_called_like_an_enum_is_refused() -> None:
    with pytest.raises(CodegenError, match="@row LoanState: an enum is called so"):
        share_rows([query("A", "LoanState", [NAME])], TYPES)
