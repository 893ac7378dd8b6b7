"""manifest.json: what was generated, for the contract test to hold against a real server."""

import msgspec
from msgspec import Struct

from sql.codegen.check_query import CheckedQuery, Command
from sql.codegen.render_queries import statement_of
from sql.codegen.type_column import Field


class ManifestField(Struct, frozen=True, omit_defaults=True):
    """A parameter or a column: `type` is PostgreSQL's, in a spelling that `to_regtype` reads."""

    name: str
    type: str
    not_null: bool
    # Whether not_null is the author's word (@notnull), against what the table says.
    asserted: bool = False


class ManifestQuery(Struct, frozen=True):
    """One query. :exec and :execrows list no columns, whatever the statement returns."""

    name: str
    file: str
    cmd: Command
    sql: str
    params: tuple[ManifestField, ...]
    columns: tuple[ManifestField, ...]


class Manifest(Struct, frozen=True):
    """All queries of one package."""

    generated_by: str
    queries: tuple[ManifestQuery, ...]


def render_manifest(queries: list[CheckedQuery], generated_by: str) -> str:
    """Return the text of manifest.json."""
    listed = tuple(
        ManifestQuery(
            name=query.name,
            file=f"{query.topic}.sql",
            cmd=query.command,
            sql=statement_of(query),
            params=tuple(map(_list_field, query.parameters)),
            columns=tuple(map(_list_field, query.columns)),
        )
        for query in queries
    )
    return msgspec.json.format(msgspec.json.encode(Manifest(generated_by, listed)), indent=1).decode() + "\n"


def read_manifest(text: bytes) -> Manifest:
    """Decode what `render_manifest` has written."""
    return msgspec.json.decode(text, type=Manifest)


def _list_field(field: Field) -> ManifestField:
    return ManifestField(field.name, field.postgres, field.not_null, field.asserted)
