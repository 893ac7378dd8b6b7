"""The comparison would find a wrong type, name or nullability."""

import pytest

from sql.codegen.manifest import ManifestField, ManifestQuery
from tests.contract.compare_query import compare_query
from tests.contract.connect_roles import Connect
from tests.contract.describe_query import prepare

NOTE = ManifestField("note", "text", not_null=False)
STATEMENT = "select l.id, l.note from contract_loan l where l.id = $1::uuid"
ID = ManifestField("id", "uuid", not_null=True)


def compare(
    connect: Connect, sql: str, params: tuple[ManifestField, ...], columns: tuple[ManifestField, ...]
) -> list[str]:
    conn = connect(None)
    query = ManifestQuery("Read", "loans.sql", ":many", sql, params, columns)
    with conn.transaction(force_rollback=True):
        conn.execute("create table contract_loan (id uuid not null primary key, note text)")
        described = prepare(conn, "read", sql)
        differences = compare_query(conn, query, described)
    conn.execute("deallocate read")
    return differences


def test_what_is_right_differs_in_nothing(connect: Connect) -> None:
    assert compare(connect, STATEMENT, (ID,), (ID, NOTE)) == []


@pytest.mark.parametrize(
    ("params", "columns", "difference"),
    [
        ((), (ID, NOTE), "the number of parameters differs"),
        ((NOTE,), (ID, NOTE), "parameter note: the generated code has text, PostgreSQL uuid"),
        ((ID,), (ID,), "the number of columns differs"),
        (
            (ID,),
            (ID, ManifestField("notes", "text", not_null=False)),
            "column notes: PostgreSQL calls it note",
        ),
        (
            (ID,),
            (ID, ManifestField("note", "text[]", not_null=False)),
            "column note: the generated code has text[], PostgreSQL text",
        ),
        ((ID,), (ID, ManifestField("note", "no_such_type", not_null=False)), "has no_such_type, PostgreSQL"),
        (
            (ID,),
            (ID, ManifestField("note", "text", not_null=True)),
            "column note: never null, says the generated code, but it is contract_loan.note",
        ),
    ],
)
def test_difference_is_found(
    params: tuple[ManifestField, ...],
    columns: tuple[ManifestField, ...],
    difference: str,
    connect: Connect,
) -> None:
    (found,) = compare(connect, STATEMENT, params, columns)
    assert difference in found


def test_cast_to_its_own_type_does_not_hide_a_nullable_column(connect: Connect) -> None:
    not_null = ManifestField("note", "text", not_null=True)
    sql = "select l.note::text as note from contract_loan l"
    assert len(compare(connect, sql, (), (not_null,))) == 1


def test_author_may_assert_that_a_nullable_column_is_not_null(connect: Connect) -> None:
    asserted = ManifestField("note", "text", not_null=True, asserted=True)
    sql = "select l.note from contract_loan l where l.note is not null"
    assert compare(connect, sql, (), (asserted,)) == []
