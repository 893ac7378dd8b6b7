"""A query that cannot become safe code is refused, by file, query and column, with what to write instead."""

import re
from pathlib import Path

import pytest

from sql.codegen.errors import CodegenError
from sql.codegen.generate_packages import GenerationError
from sql.codegen.options import PythonName
from sql.codegen.render_module import Module
from tests.unit.codegen.sqlc_project import generate_project

QUERIES = (Path(__file__).parent / "refused.sql").read_text()
EXPECTED = dict(re.findall(r"^-- name: (\w+) :\w+\n-- says: (.+)$", QUERIES, re.MULTILINE))
MISPLACED = "-- name: Forget :exec\ndelete from loan l;\n"


@pytest.fixture(scope="module")
def messages(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What one run says of all of them."""
    with pytest.raises(GenerationError) as refused:
        generate_project(tmp_path_factory.mktemp("refused"), {"refused.sql": QUERIES, "rows.sql": MISPLACED})
    return re.findall(r"\w+\.sql: .+", str(refused.value))


@pytest.mark.parametrize("name", EXPECTED)
def test_refusal_names_file_and_query_and_says_what_to_write(name: str, messages: list[str]) -> None:
    (message,) = [line for line in messages if line.startswith(f"refused.sql: {name}: ")]
    assert EXPECTED[name] in message


def test_file_that_would_overwrite_a_module_is_refused(messages: list[str]) -> None:
    assert "rows.sql: Forget: the file cannot become the module rows.py; rename it" in messages


def test_one_run_reports_all_refusals(messages: list[str]) -> None:
    assert len(messages) == len(EXPECTED) + 1
    assert len(EXPECTED) == QUERIES.count("-- name:")


def test_definition_that_comes_twice_is_refused() -> None:
    module = Module("# Generated.", "The queries of loans.sql.")
    module.define("lend_io", "def lend_io(): ...")
    with pytest.raises(CodegenError, match=r"loans\.sql: lend_io would be defined twice"):
        module.define("lend_io", "def lend_io(): ...")


def test_definition_that_hides_an_import_is_refused() -> None:
    module = Module("# Generated.", "The queries of loans.sql.")
    module.use(PythonName("psycopg.rows", "scalar_row"))
    module.define("scalar_row", "def scalar_row(): ...")
    with pytest.raises(CodegenError, match=r"loans\.sql: scalar_row would stand for two things"):
        module.render()


def test_types_of_one_name_are_refused() -> None:
    module = Module("# Generated.", "The queries of loans.sql.")
    module.use(PythonName("books", "Details"), PythonName("loans", "Details"))
    with pytest.raises(CodegenError, match="Details would stand for two things"):
        module.render()
