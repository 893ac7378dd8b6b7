"""The images' locks: what is shipped is what was tested."""

import re
from pathlib import Path

import pytest

from deploy.embedded.stack import ROOT

LOCKS = sorted(path for path in ROOT.glob("requirements-*.lock") if path.name != "requirements-dev.lock")


def pins(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)(?:\[[^]]*\])?==(\S+)", lock.read_text(), re.MULTILINE))


def test_there_is_a_lock_for_each_image() -> None:
    targets = re.findall(r"requirements-(\w+)\.lock \./", (ROOT / "deploy" / "Dockerfile").read_text())
    assert [path.name for path in LOCKS] == sorted(f"requirements-{target}.lock" for target in targets)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_pins_what_the_tests_run_with(lock: Path) -> None:
    tested = pins(ROOT / "requirements-dev.lock")
    assert pins(lock).items() <= tested.items()
    assert "psycopg" in pins(lock)
