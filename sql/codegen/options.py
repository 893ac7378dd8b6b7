"""The plugin's options: those of one entry of sqlc.yaml over those that all entries share."""

import base64
from typing import Any, Final

import msgspec

from sql.codegen.errors import CodegenError
from sql.codegen.request import Catalog, Column, Request

_JSON_TYPES: Final = ("json", "jsonb")


class PythonName(msgspec.Struct, frozen=True):
    """A name to import, written `module:name` in sqlc.yaml and in annotations."""

    module: str
    name: str

    @classmethod
    def parse(cls, text: str, where: str) -> "PythonName":
        """Read `module:name`; raise `CodegenError` if it is anything else."""
        module, colon, name = text.partition(":")
        if not (colon and name.isidentifier() and all(part.isidentifier() for part in module.split("."))):
            raise CodegenError(f"{where}: {text!r} is not a Python type; write package.module:Type")
        return cls(module, name)


class _Written(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The options as sqlc.yaml has them."""

    package: str
    enums_from: str | None = None
    rename: dict[str, str] = msgspec.field(default_factory=dict)
    json_types: dict[str, str] = msgspec.field(default_factory=dict)
    id_types: dict[str, str] = msgspec.field(default_factory=dict)
    blocking: bool = False


class Options(msgspec.Struct, frozen=True):
    """What one generated package looks like."""

    # Import path of the package that is written.
    package: str
    # Import path of the package whose models.py has the enums; this package's own if it is to write them.
    enums_from: str
    # Enum → class name, where PascalCase of the enum's name will not do.
    rename: dict[str, str]
    # `table.column` → the type that its JSON is converted to.
    json_types: dict[str, PythonName]
    # Name of a uuid column or parameter (`job_id`), or `table.column` → its NewType.
    id_types: dict[str, PythonName]
    # Whether its functions take a connection that blocks, and are not to be awaited.
    blocking: bool = False

    @property
    def writes_enums(self) -> bool:
        """Whether models.py is part of this package."""
        return self.enums_from == self.package


def read_options(request: Request) -> Options:
    """Decode the options and hold them against the catalog, so that a misspelt name is an error."""
    merged = _decode(request.global_options) | _decode(request.plugin_options)
    try:
        written = msgspec.convert(merged, _Written)
    except msgspec.ValidationError as error:
        raise CodegenError(f"options of the plugin in sqlc.yaml: {error}") from error
    where = f"options of {written.package} in sqlc.yaml"
    options = Options(
        package=written.package,
        enums_from=written.enums_from or written.package,
        rename=written.rename,
        json_types={key: PythonName.parse(text, where) for key, text in written.json_types.items()},
        id_types={key: PythonName.parse(text, where) for key, text in written.id_types.items()},
        blocking=written.blocking,
    )
    _check_against_catalog(options, request.catalog, where)
    return options


def _decode(encoded: str) -> dict[str, Any]:
    text = base64.b64decode(encoded)
    return msgspec.json.decode(text, type=dict[str, Any] | None) or {} if text else {}


def _check_against_catalog(options: Options, catalog: Catalog, where: str) -> None:
    schema = catalog.default()
    columns = {f"{table.rel.name}.{column.name}": column for table in schema.tables for column in table.columns}
    if unknown := sorted(options.rename.keys() - {enum.name for enum in schema.enums}):
        raise CodegenError(f"{where}: rename: no such enum: {', '.join(unknown)}")
    for key in options.json_types:
        if not _has_type(columns.get(key), _JSON_TYPES):
            raise CodegenError(f"{where}: json_types: {key!r} is no json column; write table.column")
    for key in options.id_types:
        if "." in key and not _has_type(columns.get(key), ("uuid",)):
            raise CodegenError(f"{where}: id_types: {key!r} is no uuid column; write table.column, or a bare name")


def _has_type(column: Column | None, names: tuple[str, ...]) -> bool:
    return column is not None and column.type is not None and column.type.name in names
