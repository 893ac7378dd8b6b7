"""What is generated is what was read and agreed to, and it is typed."""

import subprocess
import sys
from pathlib import Path

from sql.codegen.generate_packages import list_files
from tests.unit.codegen.regenerate_golden import GOLDEN, generate_golden

ROOT = Path(__file__).resolve().parents[3]


def test_generated_files_equal_the_golden_ones(tmp_path: Path) -> None:
    generated = {path: text.decode() for path, text in list_files(generate_golden(tmp_path)).items()}
    golden = {path: text.decode() for path, text in list_files(GOLDEN).items()}
    assert generated.keys() == golden.keys()
    for path, text in golden.items():
        assert generated[path] == text, path


def test_golden_files_pass_mypy_strict() -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "tests/unit/codegen/golden"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


def test_no_table_struct_is_generated() -> None:
    generated = "".join(path.read_text() for path in GOLDEN.rglob("*.py"))
    assert "class Loan(" not in generated
    assert "class Reader(" not in generated
