"""Row Structs and their row factories: in rows.py for rows that queries share, else beside the query."""

from sql.codegen.naming import to_snake_case
from sql.codegen.options import PythonName
from sql.codegen.render_module import Module, render_call, render_docstring
from sql.codegen.share_rows import SharedRow
from sql.codegen.type_column import ANY, Field


def render_rows(rows: list[SharedRow], header: str) -> str:
    """Return the text of rows.py."""
    module = Module(header, "Rows that several queries return.")
    for row in rows:
        documentation = f"Row of {', '.join(row.queries)}."
        define_row(module, row.name, row.columns, documentation)
        define_factory(module, factory_of(row.name), row.name, row.columns)
    return module.render()


def factory_of(row: str) -> str:
    """Return the name of a row's factory."""
    return f"make_{to_snake_case(row)}"


def define_row(module: Module, name: str, columns: tuple[Field, ...], documentation: str) -> None:
    """Add the Struct of a row."""
    module.use(PythonName("msgspec", "Struct"), *(column.element for column in columns))
    lines = [f"class {name}(Struct, frozen=True):", *render_docstring((documentation,)), ""]
    fields = [f"    {column.name}: {column.annotation}" for column in columns]
    module.define(name, "\n".join([*lines, *fields]))


def define_factory(module: Module, name: str, result: str, columns: tuple[Field, ...]) -> None:
    """Add a psycopg row factory that makes `result` of a row's values."""
    if not any(column.is_converted for column in columns):
        module.use(PythonName("psycopg.rows", "args_row"))
        module.define(name, f"{name} = args_row({result})")
        return
    module.use(PythonName("collections.abc", "Callable"), PythonName("collections.abc", "Sequence"), ANY)
    signature = f"def {name}(_cursor: object) -> Callable[[Sequence[Any]], {result}]:"
    values = [render_value(module, f"values[{place}]", column) for place, column in enumerate(columns)]
    making = render_call(f"    return lambda values: {result}(", values, ")")
    module.define(name, f"{signature}\n{making}")


def define_scalar_factory(module: Module, name: str, column: Field) -> None:
    """Add a psycopg row factory that makes the one value of a row."""
    value = render_value(module, "values[0]", column)
    module.use(PythonName("collections.abc", "Callable"), PythonName("collections.abc", "Sequence"), ANY)
    module.use(column.element)
    signature = f"def {name}(_cursor: object) -> Callable[[Sequence[Any]], {column.annotation}]:"
    module.define(name, f"{signature}\n    return lambda values: {value}")


def render_value(module: Module, value: str, column: Field) -> str:
    """Return the expression that makes a column's Python value from what psycopg has loaded."""
    if not column.is_converted:
        return value
    module.use(PythonName("msgspec", "convert"), column.element)
    converted = f"convert({value}, {column.value_type})"
    return converted if column.not_null else f"None if {value} is None else {converted}"
