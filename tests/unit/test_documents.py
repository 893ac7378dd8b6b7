"""Documents point at what exists, and leave out no setting."""

import re
from pathlib import Path

import msgspec
import pytest

from services.executor.serve import Config as ExecutorConfig
from services.ingest.config import IngestConfig
from services.notifier.config import NotifierConfig
from services.scheduler.config import Config as SchedulerConfig

ROOT = Path(__file__).parent.parent.parent
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_within_the_repository_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\((?!https?://|#)([^)#]+)", document.read_text())
    missing = [target for target in targets if not (document.parent / target).exists()]
    assert missing == []


def test_every_setting_is_documented() -> None:
    told = set(re.findall(r"\bHOWDAH_[A-Z_]+", "".join(document.read_text() for document in DOCUMENTS)))
    settings = {
        f"HOWDAH_{field.name.upper()}"
        for config in (IngestConfig, SchedulerConfig, ExecutorConfig, NotifierConfig)
        for field in msgspec.structs.fields(config)
    }
    assert settings - told == set()
