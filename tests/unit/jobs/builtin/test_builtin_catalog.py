"""The built-in handlers are there, describe themselves, and import little until they are called."""

import re
import subprocess
import sys
from pathlib import Path

import jsonschema_rs
import msgspec
import pytest

from shared.jobs.define_handler import Handler
from shared.jobs.describe_handlers import HandlerEntry, describe_handlers
from shared.jobs.load_handlers import load_handlers

ROOT = Path(__file__).parents[4]
NAMES = ["fail", "http_request", "send_email", "sleep", "transform"]


def builtin() -> dict[str, Handler]:
    handlers = load_handlers(["shared.jobs.builtin"], entry_points=False)
    return {name: handlers[name] for name in NAMES}


def examples() -> list[tuple[str, str]]:
    """Return the payloads that the document shows, with the handler under whose heading each stands."""
    sections = re.split(r"^## `(\w+)`$", (ROOT / "docs" / "job-handlers.md").read_text(), flags=re.MULTILINE)[1:]
    return [
        (name, payload)
        for name, text in zip(sections[::2], sections[1::2], strict=True)
        for payload in re.findall(r"```json\n(.*?)```", text, flags=re.DOTALL)
    ]


@pytest.mark.parametrize("entry", describe_handlers(builtin().values()), ids=lambda entry: entry.job_type)
def test_every_handler_says_what_it_does_and_takes(entry: HandlerEntry) -> None:
    assert entry.summary.endswith(".")
    assert entry.max_attempts > 1
    jsonschema_rs.validator_for(entry.payload_schema)
    jsonschema_rs.validator_for(entry.result_schema)


def test_the_document_shows_every_handler() -> None:
    assert {name for name, _ in examples()} == set(NAMES)


@pytest.mark.parametrize(("name", "payload"), examples())
def test_the_payloads_that_the_document_shows_are_valid(name: str, payload: str) -> None:
    handler = builtin()[name]
    handler.decode_payload(payload.encode())
    [entry] = describe_handlers([handler])
    jsonschema_rs.validator_for(entry.payload_schema).validate(msgspec.json.decode(payload))


def test_what_only_some_calls_need_is_not_imported_with_the_handlers() -> None:
    program = (
        "import sys, shared.jobs.builtin\n"
        "print(sorted({'httpcore', 'aiosmtplib', 'psycopg', 'cryptography', 'email'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
