"""Write the golden files anew: python -m tests.unit.codegen.regenerate_golden. Then read their diff."""

import shutil
from pathlib import Path
from typing import Final

from sql.codegen.generate_packages import run_sqlc

HERE: Final = Path(__file__).parent
GOLDEN: Final = HERE / "golden"


def generate_golden(target: Path) -> Path:
    """Generate into `target` from copies of the schema and the queries; return the folder of packages."""
    for name in ("sqlc.yaml", "schema.sql"):
        shutil.copy(HERE / name, target)
    shutil.copytree(HERE / "queries", target / "queries")
    run_sqlc(target / "sqlc.yaml", "generate")
    return target / "golden"


if __name__ == "__main__":
    shutil.rmtree(GOLDEN, ignore_errors=True)
    run_sqlc(HERE / "sqlc.yaml", "generate")
