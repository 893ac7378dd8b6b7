"""Options are held against the schema: a misspelt one is an error, not without effect."""

import base64
from typing import Any

import msgspec
import pytest

from sql.codegen.errors import CodegenError
from sql.codegen.options import PythonName, read_options
from sql.codegen.request import Catalog, Column, Enum, Identifier, Request, Schema, Table

LOAN = Table(
    Identifier("", "loan"),
    (Column("id", Identifier("", "uuid")), Column("details", Identifier("", "jsonb"))),
)
CATALOG = Catalog("public", (Schema("public", (LOAN,), (Enum("loan_state", ("out",)),)),))


def request(own: dict[str, Any], shared: dict[str, Any] | None = None) -> Request:
    return Request(CATALOG, (), plugin_options=encode(own), global_options=encode(shared or {}))


def encode(options: dict[str, Any]) -> str:
    return base64.b64encode(msgspec.json.encode(options)).decode()


def test_options_of_an_entry_are_laid_over_those_of_all() -> None:
    shared = {"enums_from": "shared", "id_types": {"loan_id": "ids:LoanId"}}
    options = read_options(request({"package": "library"}, shared))
    assert options.id_types == {"loan_id": PythonName("ids", "LoanId")}
    assert not options.writes_enums
    assert read_options(request({"package": "shared"}, shared)).writes_enums


def test_package_writes_enums_if_it_is_not_told_where_they_are() -> None:
    assert read_options(request({"package": "library"})).writes_enums


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "missing required field `package`"),
        ({"package": "p", "skip_tables": []}, "unknown field `skip_tables`"),
        ({"package": "p", "rename": {"loan_stat": "X"}}, "p in sqlc.yaml: rename: no such enum: loan_stat"),
        ({"package": "p", "json_types": {"loan.detail": "m:T"}}, "'loan.detail' is no json column"),
        ({"package": "p", "json_types": {"loan.id": "m:T"}}, "'loan.id' is no json column"),
        ({"package": "p", "id_types": {"loan.details": "m:T"}}, "'loan.details' is no uuid column"),
        (
            {"package": "p", "id_types": {"loan_id": "m.T"}},
            "'m.T' is not a Python type; write package.module:Type",
        ),
    ],
)
def test_misspelt_option_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(CodegenError, match=message):
        read_options(request(options))
