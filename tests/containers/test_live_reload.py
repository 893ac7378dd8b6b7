"""docker-compose.override.dev.yml: what is edited runs a moment later."""

import shutil
from pathlib import Path

import httpx
import pytest

from deploy.embedded.stack import ROOT
from tests.containers.compose import Compose

pytestmark = pytest.mark.docker

FILES = ("docker-compose.yml", "docker-compose.override.dev.yml")


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A copy of what the images are made of, free to be edited."""
    for name in ("deploy", "services", "shared", "sql"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for file in (*FILES, ".dockerignore", *(path.name for path in ROOT.glob("requirements-*.lock"))):
        shutil.copy(ROOT / file, tmp_path)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    return tmp_path


def status(compose: Compose) -> str | None:
    """Return what /health says; None while nobody answers."""
    try:
        return str(httpx.get(f"{compose.url}/health").json()["status"])
    except httpx.HTTPError:
        return None


def test_a_service_starts_again_when_its_code_changes(images: dict[str, str], sources: Path) -> None:
    compose = Compose(sources, images, *FILES, root=sources)
    with compose.up():
        assert status(compose) == "ok"
        code = sources / "services" / "ingest" / "report_health.py"
        code.write_text(code.read_text().replace('Health("ok"', 'Health("edited"'))
        compose.wait_until("the edited code runs", lambda: status(compose) == "edited")
