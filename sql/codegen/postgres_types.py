"""PostgreSQL types: one spelling for each, the Python type it is read as, and what to do about the others."""

from typing import Final

from sql.codegen.options import PythonName
from sql.codegen.request import Column

# sqlc says `pg_catalog.int4`, `integer`, `int4` … for the same thing.
_ALIASES: Final = {
    "integer": "int4",
    "serial": "int4",
    "bigint": "int8",
    "bigserial": "int8",
    "smallint": "int2",
    "smallserial": "int2",
    "boolean": "bool",
    "real": "float4",
    "double precision": "float8",
    "decimal": "numeric",
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
    "character varying": "varchar",
}

_BUILTIN: Final = "builtins"

PYTHON_TYPES: Final = {
    **dict.fromkeys(("int2", "int4", "int8"), PythonName(_BUILTIN, "int")),
    **dict.fromkeys(("float4", "float8"), PythonName(_BUILTIN, "float")),
    **dict.fromkeys(("text", "varchar"), PythonName(_BUILTIN, "str")),
    "bool": PythonName(_BUILTIN, "bool"),
    "bytea": PythonName(_BUILTIN, "bytes"),
    "numeric": PythonName("decimal", "Decimal"),
    "uuid": PythonName("uuid", "UUID"),
    "date": PythonName("datetime", "date"),
    "timestamptz": PythonName("datetime", "datetime"),
}

# Types that PostgreSQL has and that we refuse, with what to write instead.
_ADVICE: Final = {
    "interval": "psycopg rounds months and loses infinity; write extract(epoch from …)::float8 AS …_seconds",
    "timestamp": "it has no time zone; use timestamptz",
    "time": "it has no date and no zone; use timestamptz",
    "inet": "msgspec cannot encode it; write host(…)::text",
    "cidr": "msgspec cannot encode it; write …::text",
    "tsvector": "it is an index, not data; leave it out of the list of columns",
    "record": "name the function's columns: f(…) AS s(a, b), and cast each",
    "void": "write the query as :exec",
}


def postgres_type(column: Column) -> str:
    """Return the type's one spelling, without its array brackets; `any` where sqlc has only guessed."""
    if column.type is None:
        return "any"
    schema, name = column.type.schema, column.type.name
    # Bare `int` and `float` are sqlc's guesses for arithmetic and literals, not declared types.
    if name in ("int", "float") and not schema:
        return "any"
    name = name.removeprefix("pg_catalog.").removeprefix("public.")
    prefix = "" if schema in ("", "pg_catalog", "public") else f"{schema}."
    return prefix + _ALIASES.get(name, name)


def array_depth(column: Column) -> int:
    """Return how many dimensions of array there are around the type."""
    return max(column.array_dims, int(column.is_array))


def advise_on(type_name: str) -> str:
    """Say why a type has no Python type, and what to write."""
    advice = _ADVICE.get(type_name)
    if advice is not None:
        return f"type {type_name} is not supported: {advice}"
    return f"sqlc has no usable type for it (it says {type_name!r}); add a cast to a declared type: (…)::type"
