"""What the documentation tells people to type, typed."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import anyio
import pytest

from tests.service.ingest.door import SECRET, Door
from tests.service.ingest.test_authorizing import EXPECTED

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
NEEDED = ("bash", "curl", "git", "openssl", "base64")


@pytest.mark.skipif(not all(map(shutil.which, NEEDED)), reason="a tool of the one-liner is not installed")
async def test_the_one_liner_of_the_generic_push_starts_a_run(door: Door, tmp_path: Path) -> None:
    await door.add_pipeline()
    block = re.search(r"runs this -->\n```sh\n(.+?)\n```", (DOCS / "webhooks.md").read_text(), re.DOTALL)
    assert block is not None
    identity = {f"GIT_{who}_{what}": "a@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    called = {"URL": f"{door.url}/webhooks/app", "SECRET": SECRET, "HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    repository = "git init -q .; for i in 1 2; do git commit -q --allow-empty -m $i; done"
    done = await anyio.run_process(
        ["bash", "-euc", f"{repository}; {block[1]}"], cwd=tmp_path, env=identity | called, stderr=subprocess.STDOUT
    )
    assert json.loads(done.stdout)["outcome"] == "accepted"


def test_the_table_of_calls_is_complete() -> None:
    told = {
        f"{method} /api/v1{path}"
        for line in (DOCS / "api.md").read_text().splitlines()
        if line.startswith("| `")
        for methods, path in re.findall(r"`([A-Z, ]+) (/[^`]*)`", line.split("|")[1])
        for method in methods.split(", ")
    }
    assert told == {route for route in EXPECTED if " /api/v1/" in route}
