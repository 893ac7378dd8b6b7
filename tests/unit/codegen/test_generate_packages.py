"""The check of the generated packages finds what git would not, and a refusal destroys nothing."""

import shutil
from pathlib import Path

import pytest

from sql.codegen.generate_packages import GenerationError, check_packages, write_packages

HERE = Path(__file__).parent
PACKAGE = Path("services/library/queries")


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree like ours, with one package, generated."""
    root = tmp_path_factory.mktemp("generated")
    queries = root / "sql" / "queries" / "library"
    queries.mkdir(parents=True)
    (queries / "loans.sql").write_text("-- name: ForgetLoans :exec\ndelete from loan l;\n")
    (root / "sql" / "migrations").mkdir()
    shutil.copy(HERE / "schema.sql", root / "sql" / "migrations" / "1_schema.sql")
    (root / "sql" / "sqlc.yaml").write_text("""
version: "2"
plugins: [{name: howdah, env: [PATH], process: {cmd: sqlc-gen-howdah, format: json}}]
sql:
  - engine: postgresql
    schema: migrations
    queries: queries/library
    codegen: [{plugin: howdah, out: ../services/library/queries, options: {package: library}}]
""")
    write_packages(root)
    return root


@pytest.fixture
def root(generated: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(generated, tmp_path / "root"))


def test_check_names_every_edited_missing_and_left_over_file(root: Path) -> None:
    (root / PACKAGE / "loans.py").write_text("edited")
    (root / PACKAGE / "models.py").unlink()
    (root / PACKAGE / "old.py").touch()
    # What Python has compiled is nobody's drift, and untouched files are none.
    (root / PACKAGE / "__pycache__").mkdir()
    (root / PACKAGE / "__pycache__" / "loans.pyc").touch()
    assert check_packages(root) == [
        "services/library/queries/loans.py: not what sql/ says: edited, or sql/ has changed since",
        "services/library/queries/models.py: missing",
        "services/library/queries/old.py: left over, nothing generates it",
    ]


def test_writing_removes_what_nothing_generates(root: Path) -> None:
    (root / PACKAGE / "old.py").touch()
    write_packages(root)
    assert not (root / PACKAGE / "old.py").exists()


def test_refusal_leaves_the_packages_as_they_were(root: Path) -> None:
    query = root / "sql" / "queries" / "library" / "loans.sql"
    query.write_text("-- name: ForgetLoans :exec\ndelete from loans l;\n")
    with pytest.raises(GenerationError, match='relation "loans" does not exist'):
        write_packages(root)
    assert (root / PACKAGE / "loans.py").exists()
