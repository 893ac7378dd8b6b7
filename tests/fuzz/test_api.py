"""Whatever the API is sent, its answer is one that the OpenAPI document describes, and no fault of the server."""

import subprocess
import sys
from pathlib import Path

from tests.end_to_end.world import World

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "ignored_auth",
)
EXAMPLES = 12


def test_every_answer_is_one_that_the_document_describes(world: World) -> None:
    pipeline = world.add_pipeline({".howdah.yml": "on: push\njobs:\n  a: {run: 'true'}\n"})
    pipeline.push_and_await()
    done = subprocess.run(
        [
            Path(sys.executable).parent / "schemathesis",
            "run",
            f"{world.stack.url}/openapi.json",
            f"--header=Authorization: Bearer {world.stack.admin_token()}",
            f"--checks={','.join(CHECKS)}",
            f"--max-examples={EXAMPLES}",
            "--exclude-path-regex=/stream/|/events$",  # they do not end by themselves; they have tests of their own
            "--phases=examples,coverage,fuzzing",
            "--request-timeout=20",
            "--generation-deterministic",
            "--no-color",
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=world.stack.state,  # what it remembers between runs goes there, and is gone with it
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert world.get("/ready")
