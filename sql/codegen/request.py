"""The part of sqlc's GenerateRequest that we read (protojson, proto field names, empty fields sent)."""

from msgspec import Struct


class Identifier(Struct, frozen=True):
    """A name, qualified or not."""

    schema: str = ""
    name: str = ""


class Column(Struct, frozen=True):
    """A column of a table or of a result, or the shape of a parameter."""

    name: str = ""
    type: Identifier | None = None
    not_null: bool = False
    is_array: bool = False
    array_dims: int = 0
    is_func_call: bool = False
    is_sqlc_slice: bool = False
    # Where it comes from: a table, or the name of a CTE. None for an expression.
    table: Identifier | None = None
    embed_table: Identifier | None = None
    original_name: str = ""
    comment: str = ""


class Parameter(Struct, frozen=True):
    """`$number` of a query."""

    number: int
    column: Column


class Query(Struct, frozen=True):
    """One `-- name:` block. `filename` is the file's name without its folder."""

    text: str
    name: str
    cmd: str
    filename: str
    columns: tuple[Column, ...] = ()
    params: tuple[Parameter, ...] = ()
    comments: tuple[str, ...] = ()
    insert_into_table: Identifier | None = None


class Table(Struct, frozen=True):
    """A table or view of the catalog."""

    rel: Identifier
    columns: tuple[Column, ...]


class Enum(Struct, frozen=True):
    """An enum type of the catalog."""

    name: str
    vals: tuple[str, ...]
    comment: str = ""


class Schema(Struct, frozen=True):
    """A schema of the catalog."""

    name: str
    tables: tuple[Table, ...] = ()
    enums: tuple[Enum, ...] = ()


class Catalog(Struct, frozen=True):
    """What sqlc learned from the migrations, and its own pg_catalog."""

    default_schema: str
    schemas: tuple[Schema, ...]

    def default(self) -> Schema:
        """Return the schema that our own tables and enums live in."""
        found = [schema for schema in self.schemas if schema.name == self.default_schema]
        return found[0] if found else Schema(self.default_schema)


class Request(Struct, frozen=True):
    """Everything that sqlc hands to a plugin for one entry of sqlc.yaml. The options are base64 of JSON."""

    catalog: Catalog
    queries: tuple[Query, ...]
    sqlc_version: str = ""
    plugin_options: str = ""
    global_options: str = ""
