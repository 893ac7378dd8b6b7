"""Annotations: the comment lines of a query that begin with @. The other lines are its documentation.

`@nullable a b`   the result's columns a and b may be null, though sqlc says not (a cast, an outer join)
`@notnull a b`    they are never null, though the table's column may be; the query must see to it
`@required`       a :one that must find a row, else LookupError
`@row Name`       the row type, shared by all queries of the package that name it
`@json a m:Type`  the Python type of the JSON column or parameter a; `typing:Any` for anything
`@arraytext a b`  the array parameters a and b come as PostgreSQL's text of an array, `shared.array_text`
"""

from typing import Final

from msgspec import Struct

from sql.codegen.errors import CodegenError
from sql.codegen.options import PythonName

KNOWN: Final = ("@nullable", "@notnull", "@required", "@row", "@json", "@arraytext")


class Annotations(Struct, frozen=True):
    """What the comments of one query say."""

    documentation: tuple[str, ...] = ()
    nullable: frozenset[str] = frozenset()
    not_null: frozenset[str] = frozenset()
    required: bool = False
    row: str | None = None
    json_types: dict[str, PythonName] = {}
    array_texts: frozenset[str] = frozenset()


def read_annotations(comments: tuple[str, ...], where: str) -> Annotations:
    """Parse the comment lines of a query; raise `CodegenError` for what is unknown or malformed."""
    documentation: list[str] = []
    nullable: set[str] = set()
    not_null: set[str] = set()
    required = False
    row: str | None = None
    json_types: dict[str, PythonName] = {}
    array_texts: set[str] = set()
    for line in comments:
        words = line.split()
        match words:
            case ["@nullable", _, *_]:
                nullable.update(words[1:])
            case ["@notnull", _, *_]:
                not_null.update(words[1:])
            case ["@arraytext", _, *_]:
                array_texts.update(words[1:])
            case ["@required"]:
                required = True
            case ["@row", name] if name.isidentifier() and name[0].isupper() and row is None:
                row = name
            case ["@json", name, type_name] if name not in json_types:
                json_types[name] = PythonName.parse(type_name, f"{where}: @json {name}")
            case [word, *_] if word.startswith("@"):
                raise CodegenError(f"{where}: cannot read {line.strip()!r}; {_usage(word)}")
            case _:
                documentation.append(line.strip())
    if both := sorted(nullable & not_null):
        raise CodegenError(f"{where}: column {both[0]!r} is both @nullable and @notnull; keep one")
    return Annotations(
        documentation=tuple(documentation),
        nullable=frozenset(nullable),
        not_null=frozenset(not_null),
        required=required,
        row=row,
        json_types=json_types,
        array_texts=frozenset(array_texts),
    )


def _usage(word: str) -> str:
    forms = {
        "@nullable": "write @nullable column …",
        "@notnull": "write @notnull column …",
        "@arraytext": "write @arraytext parameter …",
        "@required": "write @required alone",
        "@row": "write @row Name once, in PascalCase",
        "@json": "write @json name package.module:Type, once for each name",
    }
    return forms.get(word, f"the annotations are {', '.join(KNOWN)}")
