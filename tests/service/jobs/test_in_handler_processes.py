"""The built-in handlers in the processes that really call them: they see the operator's settings, and nothing else."""

import pytest

from services.executor.handler_frames import CallInterruption, CallOutcome
from tests.service.executor.run_pool import RunningPool, running_pool
from tests.service.jobs.mail_server import run_mail_server
from tests.service.notifier.target import respond, run_target

BUILTIN = ["shared.jobs.builtin"]


async def test_all_are_in_the_catalog() -> None:
    async with running_pool(modules=BUILTIN) as running:
        names = {entry.job_type for entry in running.pool.catalog}
    assert names == {"fail", "http_request", "send_email", "sleep", "transform"}


async def test_the_operators_settings_reach_them_and_those_of_the_executor_do_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOWDAH_ALLOWED_NETWORKS", "127.0.0.0/8")
    monkeypatch.setenv("HOWDAH_SMTP_URL", "smtp://localhost:1?starttls=never")
    async with run_target(respond(200, body=b"hello")) as target, run_mail_server() as mail:
        request = {"url": target.url()}
        message = {"subject": "Hello", "to": ["ada@example.org"], "text": "x"}
        async with running_pool(modules=BUILTIN) as running:
            refused = await running.end_of(running.submit("http_request", request))
            unset = await running.end_of(running.submit("send_email", message))
        settings = {
            "HOWDAH_ALLOWED_NETWORKS": "127.0.0.0/8",
            "HOWDAH_SMTP_URL": mail.url(),
            "HOWDAH_SMTP_FROM": "ci@example.org",
        }
        async with running_pool(modules=BUILTIN, env=settings) as running:
            answered = await running.result_of("http_request", request)
            sent = await running.result_of("send_email", message)
    assert (refused.outcome, refused.reason) == (CallOutcome.FAILED, "address_refused")
    assert (unset.outcome, unset.reason) == (CallOutcome.FAILED, "bad_settings")
    assert answered["body"] == "hello"
    assert sent["accepted"] == ["ada@example.org"]
    assert len(target.received) == len(mail.taken) == 1


async def drill(running: RunningPool, kind: str, **details: object) -> tuple[CallOutcome, str]:
    end = await running.end_of(running.submit("fail", {"kind": kind, **details}))
    return end.outcome, end.reason


async def test_fail_goes_wrong_as_the_engine_understands_it() -> None:
    async with running_pool(modules=BUILTIN) as running:
        assert await drill(running, "error") == (CallOutcome.ERRORED, "RuntimeError")
        assert await drill(running, "retryable") == (CallOutcome.ERRORED, "RetryableError")
        assert await drill(running, "permanent") == (CallOutcome.FAILED, "PermanentError")
        assert await drill(running, "snooze", seconds=3) == (CallOutcome.SNOOZED, "snoozed")
        assert await drill(running, "exit") == (CallOutcome.ERRORED, "crashed")
        assert await drill(running, "crash") == (CallOutcome.ERRORED, "crashed")
        assert await running.result_of("fail", {"times": 1}, attempt=2) == {"call": 2}


async def test_a_bad_expression_fails_its_job_and_costs_nobody_else() -> None:
    costly = " | ".join(["[@, @][]"] * 60)
    async with running_pool(modules=BUILTIN) as running:
        bad = running.submit("transform", {"expression": costly, "data": [1]})
        good = running.submit("transform", {"expression": "a.b", "data": {"a": {"b": [1, 2]}}})
        end = await running.end_of(bad)
        assert (end.outcome, end.reason) == (CallOutcome.FAILED, "bad_expression")
        assert (await running.end_of(good)).result == b"[1,2]"


async def test_a_misspelt_field_is_refused_by_name() -> None:
    async with running_pool(modules=BUILTIN) as running:
        end = await running.end_of(running.submit("sleep", {"seconds": 1, "secnds": 2}))
    assert (end.outcome, end.reason) == (CallOutcome.FAILED, "invalid_payload")
    assert "secnds" in end.error


async def test_a_sleep_ends_when_it_is_canceled() -> None:
    async with running_pool(modules=BUILTIN) as running:
        key = running.submit("sleep", {"seconds": 86_400}, timeout_seconds=90_000)
        running.pool.interrupt([key], CallInterruption.CANCELED)
        assert (await running.end_of(key)).outcome is CallOutcome.CANCELED
