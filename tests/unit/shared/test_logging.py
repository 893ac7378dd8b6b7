"""Log lines: one JSON object each, with the ids of what they are about."""

import json
import logging

from shared.ids import JobId, RunId, new_id
from shared.logging import JsonFormatter, log_context


def render(message: str, **extra: object) -> dict[str, object]:
    record = logging.makeLogRecord({"name": "a.b", "levelname": "INFO", "msg": message, **extra})
    line = JsonFormatter("executor").format(record)
    assert "\n" not in line
    return dict(json.loads(line))


def test_a_line_has_its_service_and_its_ids() -> None:
    job_id, run_id = JobId(new_id()), RunId(new_id())
    with log_context(run_id=run_id):
        line = render("two\nlines", job_id=job_id)
    assert line["service"] == "executor"
    assert line["message"] == "two\nlines"
    assert (line["job_id"], line["run_id"]) == (str(job_id), str(run_id))


def test_context_ends_with_its_block() -> None:
    with log_context(run_id="a"), log_context(job_id="b"):
        inner = render("x")
    assert (inner["run_id"], inner["job_id"]) == ("a", "b")
    assert "run_id" not in render("x")


def test_what_json_does_not_know_is_written_as_text() -> None:
    assert render(
        "x",
        odd={
            1,
        },
        nested=[new_id()],
    )["odd"]
