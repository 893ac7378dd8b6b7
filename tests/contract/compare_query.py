"""The manifest held against the server: types, names and nullability."""

from itertools import zip_longest

from sql.codegen.manifest import ManifestField, ManifestQuery
from tests.contract.describe_query import Connection, DescribedColumn, DescribedQuery


def compare_query(conn: Connection, query: ManifestQuery, described: DescribedQuery) -> list[str]:
    """Return a line for each difference.

    Columns of :exec and :execrows are not looked at: nobody reads them. That an expression or an outer join
    never gives null, though it is declared so, cannot be seen here.
    """
    differences = [
        difference
        for field, oid in zip_longest(query.params, described.parameter_oids)
        for difference in _compare_parameter(conn, field, oid)
    ]
    if query.cmd in (":one", ":many"):
        for field, column in zip_longest(query.columns, described.columns):
            differences += _compare_column(conn, field, column)
    return differences


def _compare_parameter(conn: Connection, field: ManifestField | None, oid: int | None) -> list[str]:
    if field is None or oid is None:
        return ["the number of parameters differs"]
    return _compare_type(conn, f"parameter {field.name}", field, oid)


def _compare_column(conn: Connection, field: ManifestField | None, column: DescribedColumn | None) -> list[str]:
    if field is None or column is None:
        return ["the number of columns differs"]
    if field.name != column.name:
        return [f"column {field.name}: PostgreSQL calls it {column.name}"]
    differences = _compare_type(conn, f"column {field.name}", field, column.type_oid)
    if field.not_null and not field.asserted and (source := _find_nullable_source(conn, column)):
        differences.append(
            f"column {field.name}: never null, says the generated code, but it is {source}, which may be "
            f"null (a cast does not change that): write -- @nullable {field.name}, or -- @notnull "
            f"{field.name} where the query excludes nulls"
        )
    return differences


def _compare_type(conn: Connection, what: str, field: ManifestField, oid: int) -> list[str]:
    row = conn.execute("select to_regtype(%s)::oid = %s::oid, %s::regtype::text", (field.type, oid, oid)).fetchone()
    assert row is not None
    equal, actual = row
    return [] if equal else [f"{what}: the generated code has {field.type}, PostgreSQL {actual}"]


def _find_nullable_source(conn: Connection, column: DescribedColumn) -> str | None:
    """Return the table's column that a result's column is, if it may be null. Views tell nothing."""
    row = conn.execute(
        """
        select c.relname || '.' || a.attname
        from pg_attribute a
        join pg_class c on c.oid = a.attrelid
        where a.attrelid = %s::oid
            and a.attnum = %s::integer
            and not a.attnotnull
            and c.relkind in ('r', 'p')
        """,
        (column.table_oid, column.table_column),
    ).fetchone()
    return None if row is None else str(row[0])
