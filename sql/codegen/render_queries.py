"""The module of one topic: for each query its SQL, its row, and a function: async, unless the package is to block."""

from typing import Final

from msgspec import Struct

from sql.codegen.check_query import CheckedQuery
from sql.codegen.options import Options, PythonName
from sql.codegen.render_module import Module, render_call, render_docstring
from sql.codegen.render_rows import (
    define_factory,
    define_row,
    define_scalar_factory,
    factory_of,
    render_value,
)
from sql.codegen.type_column import ANY, Field


class _Calls(Struct, frozen=True):
    """How the functions of a package are written and called."""

    connection: str
    cursor: str
    define: str
    wait: str


_AWAITED: Final = _Calls("AsyncConnection", "AsyncRawCursor", "async def", "await ")
_BLOCKING: Final = _Calls("Connection", "RawCursor", "def", "")


def render_queries(topic: str, queries: list[CheckedQuery], options: Options, header: str) -> str:
    """Return the text of <topic>.py."""
    calls = _BLOCKING if options.blocking else _AWAITED
    module = Module(header, f"The queries of {topic}.sql.")
    module.use(PythonName("psycopg", calls.connection), PythonName("psycopg", calls.cursor))
    module.use(ANY, PythonName("typing", "Final"))
    for query in queries:
        _define_query(module, query, options.package, calls)
    return module.render()


def statement_of(query: CheckedQuery) -> str:
    """Return the SQL as it is sent: its name comes first, so that the server's views and logs show it."""
    return f"-- name: {query.name}\n{query.sql}"


def _define_query(module: Module, query: CheckedQuery, package: str, calls: _Calls) -> None:
    text = statement_of(query).replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    constant = query.function.upper()
    module.define(constant, f'{constant}: Final = """\\\n{text}\n"""')
    factory = _define_result(module, query, package)
    module.use(*(parameter.element for parameter in query.parameters))
    signature = [f"conn: {calls.connection}[Any]"]
    if query.parameters:
        signature += ["*", *(f"{parameter.name}: {parameter.annotation}" for parameter in query.parameters)]
    lines = [
        render_call(f"{calls.define} {query.function}(", signature, f") -> {_result_type(query)}:"),
        *render_docstring(query.documentation),
        f"    cur = {calls.cursor}(conn{f', row_factory={factory}' if factory else ''})",
        _render_execute(module, query, constant, calls),
        *_render_return(module, query, calls),
    ]
    module.define(query.function, "\n".join(lines))


def _define_result(module: Module, query: CheckedQuery, package: str) -> str | None:
    """Add or import what a row becomes; return the name of its row factory, if there are rows."""
    if not query.columns:
        return None
    if query.shared_row is not None:
        factory = factory_of(query.shared_row)
        module.use(PythonName(f"{package}.rows", query.shared_row), PythonName(f"{package}.rows", factory))
        return factory
    factory = f"_{factory_of(query.row)}"
    if not query.is_scalar:
        define_row(module, query.row, query.columns, f"Row of {query.name}.")
        define_factory(module, factory, query.row, query.columns)
        return factory
    column = query.columns[0]
    module.use(column.element)
    if query.required:
        # A tuple, so that a null is not taken for a missing row.
        module.use(PythonName("psycopg.rows", "tuple_row"))
        return "tuple_row"
    if column.is_converted:
        define_scalar_factory(module, factory, column)
        return factory
    module.use(PythonName("psycopg.rows", "scalar_row"))
    return "scalar_row"


def _result_type(query: CheckedQuery) -> str:
    match query.command:
        case ":exec":
            return "None"
        case ":execrows":
            return "int"
        case ":many":
            return f"list[{_row_type(query)}]"
        case ":one":
            row = _row_type(query)
            return row if query.required or row == "Any" else f"{row} | None"


def _row_type(query: CheckedQuery) -> str:
    return query.columns[0].annotation if query.is_scalar else query.row


def _render_execute(module: Module, query: CheckedQuery, constant: str, calls: _Calls) -> str:
    arguments = [_render_argument(module, parameter) for parameter in query.parameters]
    if not arguments:
        return f"    {calls.wait}cur.execute({constant})"
    if len(arguments) == 1:
        return f"    {calls.wait}cur.execute({constant}, ({arguments[0]},))"
    one_line = f"    {calls.wait}cur.execute({constant}, ({', '.join(arguments)}))"
    if len(one_line) <= 110:
        return one_line
    return "\n".join(
        [
            f"    {calls.wait}cur.execute(",
            f"        {constant},",
            "        (",
            *(f"            {argument}," for argument in arguments),
            "        ),",
            "    )",
        ]
    )


def _render_argument(module: Module, parameter: Field) -> str:
    """JSON is encoded by msgspec, whatever the connection is set to; None is SQL's null, not JSON's."""
    if not parameter.is_json:
        return parameter.name
    wrapper = "Jsonb" if parameter.postgres.startswith("jsonb") else "Json"
    module.use(PythonName("psycopg.types.json", wrapper), PythonName("msgspec.json", "encode"))
    if parameter.depth:
        wrapped = f"[{wrapper}(value, encode) for value in {parameter.name}]"
    else:
        wrapped = f"{wrapper}({parameter.name}, encode)"
    return wrapped if parameter.not_null else f"None if {parameter.name} is None else {wrapped}"


def _render_return(module: Module, query: CheckedQuery, calls: _Calls) -> list[str]:
    match query.command:
        case ":exec":
            return []
        case ":execrows":
            return ["    return cur.rowcount"]
        case ":many":
            return [f"    return {calls.wait}cur.fetchall()"]
        case ":one":
            return _render_return_one(module, query, calls)


def _render_return_one(module: Module, query: CheckedQuery, calls: _Calls) -> list[str]:
    fetch = f"{calls.wait}cur.fetchone()"
    if not query.required:
        return [f"    return {fetch}"]
    missing = ["    if row is None:", f'        raise LookupError("{query.name} found no row")']
    if not query.is_scalar:
        return [f"    row: {query.row} | None = {fetch}", *missing, "    return row"]
    column = query.columns[0]
    value = render_value(module, "row[0]", column)
    return [
        f"    row = {fetch}",
        *missing,
        f"    value: {column.annotation} = {value}",
        "    return value",
    ]
