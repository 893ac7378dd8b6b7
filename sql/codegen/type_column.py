"""From a column or parameter, as sqlc describes it, to a field of a generated Struct or signature."""

from msgspec import Struct

from sql.codegen.annotations import Annotations
from sql.codegen.errors import CodegenError
from sql.codegen.naming import find_name_fault, to_pascal_case
from sql.codegen.options import Options, PythonName
from sql.codegen.postgres_types import PYTHON_TYPES, advise_on, array_depth, postgres_type
from sql.codegen.request import Column, Enum

ANY = PythonName("typing", "Any")
ARRAY_TEXT = PythonName("shared.array_text", "ArrayText")


class Field(Struct, frozen=True):
    """A column of a result, or a parameter, with its Python type."""

    name: str
    # The type of one element, and how many lists are around it.
    element: PythonName
    depth: int
    postgres: str
    not_null: bool
    # Whether not_null is the author's word (@notnull) rather than what sqlc found.
    asserted: bool = False
    is_json: bool = False

    @property
    def value_type(self) -> str:
        """The Python type of a value that is not null."""
        return "list[" * self.depth + self.element.name + "]" * self.depth

    @property
    def annotation(self) -> str:
        """The Python type, None included."""
        return self.value_type if self.not_null or self.value_type == "Any" else f"{self.value_type} | None"

    @property
    def is_converted(self) -> bool:
        """Whether reading it takes a `msgspec.convert`."""
        return self.is_json and self.element != ANY


class TypeMap(Struct, frozen=True):
    """What decides on Python types beyond the built-in ones."""

    options: Options
    enums: tuple[Enum, ...]

    def enum_class(self, enum_name: str) -> PythonName:
        """Return the StrEnum that stands for an enum."""
        name = self.options.rename.get(enum_name) or to_pascal_case(enum_name)
        return PythonName(f"{self.options.enums_from}.models", name)

    def has_enum(self, name: str) -> bool:
        """Whether the schema has an enum of this name."""
        return any(enum.name == name for enum in self.enums)


def type_result_column(column: Column, types: TypeMap, notes: Annotations, where: str) -> Field:
    """Type a column of a query's result; raise `CodegenError` if it cannot be used."""
    if column.embed_table is not None:
        raise CodegenError(f"{where}: sqlc.embed is not supported; list the columns, each with an alias")
    if column.name in ("", "?column?"):
        raise CodegenError(f"{where}: a column has no name; write (expression)::type AS name")
    where = f"{where}: column {column.name!r}"
    if column.table is None and column.is_func_call:
        raise CodegenError(f"{where}: a bare function call; write (call)::type AS {column.name}")
    asserted = column.name in notes.not_null
    not_null = asserted or (column.not_null and column.name not in notes.nullable)
    return _type(column, types, notes, where, not_null=not_null, asserted=asserted)


def type_parameter(column: Column, types: TypeMap, notes: Annotations, where: str) -> Field:
    """Type a parameter; raise `CodegenError` if it cannot be used."""
    if not column.name:
        raise CodegenError(f"{where}: a parameter has no name; write @name::type")
    where = f"{where}: parameter {column.name!r}"
    return _type(
        column,
        types,
        notes,
        where,
        not_null=column.not_null,
        asserted=False,
        as_array_text=column.name in notes.array_texts,
    )


def _type(
    column: Column,
    types: TypeMap,
    notes: Annotations,
    where: str,
    *,
    not_null: bool,
    asserted: bool,
    as_array_text: bool = False,
) -> Field:
    if fault := find_name_fault(column.name):
        raise CodegenError(f"{where}: cannot be called so: {fault}; give it another name")
    name, depth = postgres_type(column), array_depth(column)
    if as_array_text:
        if not depth:
            raise CodegenError(f"{where}: @arraytext is for arrays; write @{column.name}::{name}[]")
        return Field(name=column.name, element=ARRAY_TEXT, depth=0, postgres=name + "[]" * depth, not_null=not_null)
    is_json = name in ("json", "jsonb")
    if types.has_enum(name):
        element = types.enum_class(name)
    elif is_json:
        element = _json_type(column, types, notes, where)
    elif name == "uuid":
        element = _id_type(column, types.options, depth)
    elif name in PYTHON_TYPES:
        element = PYTHON_TYPES[name]
    else:
        raise CodegenError(f"{where}: {advise_on(name)}")
    return Field(
        name=column.name,
        element=element,
        depth=depth,
        postgres=name + "[]" * depth,
        not_null=not_null,
        asserted=asserted,
        is_json=is_json,
    )


def _source(column: Column) -> str:
    return "" if column.table is None else f"{column.table.name}.{column.original_name or column.name}"


def _json_type(column: Column, types: TypeMap, notes: Annotations, where: str) -> PythonName:
    found = notes.json_types.get(column.name) or types.options.json_types.get(_source(column))
    if found is None:
        raise CodegenError(
            f"{where}: JSON without a Python type; write -- @json {column.name} package.module:Type "
            "(typing:Any for anything), or name its table.column in json_types in sqlc.yaml"
        )
    return found


def _id_type(column: Column, options: Options, depth: int) -> PythonName:
    """Return the NewType of an id: by table.column, else by the longest name that it ends in."""
    by_column = options.id_types.get(_source(column))
    if by_column is not None:
        return by_column
    name = f"_{column.name.removesuffix('s') if depth else column.name}"
    endings = [key for key in options.id_types if name.endswith(f"_{key}")]
    return options.id_types[max(endings, key=len)] if endings else PYTHON_TYPES["uuid"]
