"""Handlers are found by module and by entry point; what cannot be imported is named, all of it at once."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.jobs.load_handlers import ENTRY_POINT_GROUP, HandlersUnavailableError, load_handlers


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that modules are imported from."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write_handler(folder: Path, module: str, job_type: str) -> None:
    (folder / f"{module}.py").write_text(
        "from shared.jobs import JobContext, handler\n"
        f"@handler({job_type!r})\n"
        "def run(payload: None, context: JobContext) -> None: ...\n"
    )


def test_modules_and_entry_points_are_imported(folder: Path) -> None:
    write_handler(folder, "named_jobs", "named")
    write_handler(folder, "announced_jobs", "announced")
    distribution = folder / "announcing-1.0.dist-info"
    distribution.mkdir()
    (distribution / "METADATA").write_text("Metadata-Version: 2.1\nName: announcing\nVersion: 1.0\n")
    (distribution / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\nours = announced_jobs\n")
    importlib.invalidate_caches()
    assert "announced" not in load_handlers(["named_jobs"], entry_points=False)
    assert {"named", "announced"} <= set(load_handlers(["named_jobs"]))


def test_every_module_that_fails_is_named_with_cause_and_place(folder: Path) -> None:
    write_handler(folder, "good_jobs", "good")
    (folder / "bad_jobs.py").write_text("\n\n1 / 0\n")
    (folder / "leaving_jobs.py").write_text("import sys\nsys.exit('bye')\n")
    (folder / "syntax_jobs.py").write_text("def\n")
    with pytest.raises(HandlersUnavailableError) as raised:
        load_handlers(["bad_jobs", "leaving_jobs", "syntax_jobs", "absent_jobs", "good_jobs"], entry_points=False)
    _, bad, leaving, syntax, absent = str(raised.value).splitlines()
    assert bad == f"  the module 'bad_jobs': ZeroDivisionError: division by zero ({folder}/bad_jobs.py:3)"
    assert leaving.startswith("  the module 'leaving_jobs': SystemExit: bye (")
    assert syntax.startswith("  the module 'syntax_jobs': SyntaxError: invalid syntax (syntax_jobs.py, line 1)")
    assert absent == "  the module 'absent_jobs': ModuleNotFoundError: No module named 'absent_jobs'"


def test_two_modules_with_one_type_are_told(folder: Path) -> None:
    write_handler(folder, "first_jobs", "twice")
    write_handler(folder, "second_jobs", "twice")
    with pytest.raises(HandlersUnavailableError, match=r"second_jobs.*first_jobs\.run is the handler of that type"):
        load_handlers(["first_jobs", "second_jobs"], entry_points=False)
