"""Whatever stands in a commit's title: nobody is mentioned, nothing is dressed up, and no limit is passed."""

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.clean_text import clean_text, fit_lines, text_length
from services.notifier.describe_notice import describe_notice
from services.notifier.format_discord import format_discord
from services.notifier.format_slack import format_slack
from services.notifier.format_webhook import format_webhook
from services.notifier.link_lines import link_lines
from shared.notice import JobNotice
from tests.unit.notifier.sample_notices import (
    FAILED_TEST,
    HAPPENED_AT,
    JOB_ID,
    PAGE_URL,
    make_notice,
)

HOSTILE = [
    "<!channel> look",
    "<!here|here> <@U012AB3CD> <#C123>",
    "<https://evil.example|app #41 succeeded>",
    "@everyone @here <@&1234> <@1234>",
    "[click](https://evil.example) **bold** ||spoiler|| `code` ~~gone~~ __x__ \\",
    "&lt;!channel&gt; &amp;",
    "x" * 10_240,
    "<" * 10_240,
    "\\" * 10_240,
    "😀" * 10_240,
    "a\x00b\x07c\r\nd\x1b[31me\u2028f",
    "\u202egnp.exe \u2066hidden\u2069",
    "",
    " \n\t ",
]
MANY_FAILURES = [
    JobNotice(
        id=JOB_ID,
        key=f"job-{number}",
        state="failed",
        exit_code=None,
        error="<&>\n" * 1000,
        failing_line=number,
        failing_text="<!channel>\n" * 100,
    )
    for number in range(500)
]
PAGES = "https://ci.example.org/{}".format
LINE_URL = re.compile(rf"https://ci\.example\.org/jobs/{JOB_ID}#L\d+")
DISCORD_LINK = rf"\[(?:[^\\\[\]]|\\.)*\]\({LINE_URL.pattern}\)"
DISCORD_LINKS = re.compile(rf"\nsee {DISCORD_LINK}(?:, {DISCORD_LINK})*\Z")
UNESCAPED_DISCORD = re.compile(r"(?<!\\)(?:\\\\)*[`*_~|<>\[\]]|(?<!\\)(?:\\\\)*@\w")


def slack(**fields: Any) -> dict[str, Any]:
    notice = make_notice(state="failed", **fields)
    description = describe_notice("run.failed", notice)
    body: dict[str, Any] = msgspec.json.decode(format_slack(description, PAGE_URL, link_lines(notice, PAGES)))
    return body


def discord(**fields: Any) -> dict[str, Any]:
    notice = make_notice(state="failed", **fields)
    description = describe_notice("run.failed", notice)
    body: dict[str, Any] = msgspec.json.decode(
        format_discord(description, PAGE_URL, link_lines(notice, PAGES), HAPPENED_AT)
    )
    return body


def slack_texts(body: dict[str, Any]) -> list[dict[str, Any]]:
    texts: list[dict[str, Any]] = []
    for block in body["blocks"]:
        texts += block["elements"] if block["type"] == "context" else [block["text"]]
    return texts


def assert_slack_is_harmless(body: dict[str, Any]) -> None:
    texts = slack_texts(body)
    assert "<" not in body["text"]
    assert len(body["text"]) <= 40_000
    assert len(body["blocks"]) <= 50
    for text in texts:
        assert 1 <= text_length(text["text"]) <= 3_000
        assert not re.search(r"&(?!amp;|lt;|gt;)", text["text"])
        if text["type"] == "plain_text":
            assert not re.search(r"[<>]", text["text"])
    # The mrkdwn texts hold our own links, and nothing else between angle brackets.
    headline, *lines = [text["text"] for text in texts if text["type"] == "mrkdwn"]
    assert re.findall(r"<([^|>]*)", headline) == [PAGE_URL]
    assert len(lines) <= 1
    for line in lines:
        assert all(LINE_URL.fullmatch(url) for url in re.findall(r"<([^|>]*)", line))


def assert_discord_is_harmless(body: dict[str, Any]) -> None:
    (embed,) = body["embeds"]
    assert body["allowed_mentions"] == {"parse": []}
    assert "content" not in body
    assert 1 <= text_length(embed["title"]) <= 256
    assert 1 <= text_length(embed["description"]) <= 4_096
    assert text_length(embed["title"] + embed["description"]) + 100 <= 6_000
    # But for our own links at the end.
    told = DISCORD_LINKS.sub("", embed["description"])
    assert not UNESCAPED_DISCORD.search(told)
    assert not re.search(r"(?<!\\)://", told)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_mentions_nobody_and_passes_no_limit(text: str) -> None:
    job = JobNotice(
        id=JOB_ID, key=text or "x", state="failed", exit_code=None, error=text, failing_line=0, failing_text=text
    )
    fields = {"title": text, "author": text, "branch": text, "failed_jobs": [job]}
    assert_slack_is_harmless(slack(**fields))
    assert_discord_is_harmless(discord(**fields))


@given(st.text(max_size=400), st.text(max_size=400))
def test_any_text_mentions_nobody_and_passes_no_limit(title: str, error: str) -> None:
    job = JobNotice(
        id=JOB_ID, key=title, state="failed", exit_code=None, error=error, failing_line=41, failing_text=title
    )
    assert_slack_is_harmless(slack(title=title, author=error, failed_jobs=[job]))
    assert_discord_is_harmless(discord(title=title, author=error, failed_jobs=[job]))


def test_five_hundred_failures_are_counted_where_they_do_not_fit() -> None:
    in_slack, in_discord = slack(failed_jobs=MANY_FAILURES), discord(failed_jobs=MANY_FAILURES)
    assert_slack_is_harmless(in_slack)
    assert_discord_is_harmless(in_discord)
    assert re.search(r"\n… and \d+ more$", in_slack["blocks"][2]["text"]["text"])
    description, _, links = in_discord["embeds"][0]["description"].rpartition("\nsee ")
    assert re.search(r"\n… and \d+ more$", description)
    assert len(re.findall(LINE_URL, links)) == 5
    assert in_slack["text"].endswith(" and 495 more")


def test_a_program_gets_the_title_as_it_is() -> None:
    title = "<!channel> \x1b[31m" + "x" * 10_240
    notice = make_notice(title=title)
    description = describe_notice("run.succeeded", notice)
    body = format_webhook("run.succeeded", notice, description, {"run": PAGE_URL}, HAPPENED_AT)
    assert msgspec.json.decode(body)["data"]["title"] == title


@given(st.text(max_size=300), st.integers(min_value=1, max_value=100))
def test_cleaned_text_is_one_short_line(text: str, limit: int) -> None:
    cleaned = clean_text(text, limit)
    assert text_length(cleaned) <= limit
    assert cleaned.splitlines() in ([], [cleaned])
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", cleaned)
    cleaned.encode()


def test_text_is_cut_where_an_ellipsis_says_so() -> None:
    assert clean_text("abcdef", 6) == "abcdef"
    assert clean_text("abcdefg", 6) == "abcde…"
    assert clean_text("😀😀😀", 5) == "😀😀…"


@given(st.lists(st.text(alphabet="ab", max_size=30), max_size=30), st.integers(min_value=20, max_value=200))
def test_lines_that_fit_are_whole_and_the_others_counted(lines: list[str], limit: int) -> None:
    fitted = fit_lines(lines, limit)
    assert text_length(fitted) <= limit
    kept = fitted.split("\n") if lines else []
    left_out = re.fullmatch(r"… and (\d+) more", kept[-1]) if kept else None
    if left_out:
        assert kept[:-1] == lines[: len(kept) - 1]
        assert len(kept) - 1 + int(left_out[1]) == len(lines)
    else:
        assert kept == lines


def test_an_event_of_a_newer_scheduler_is_told_by_its_name() -> None:
    notice = make_notice(state="waiting", job=FAILED_TEST)
    assert describe_notice("run.waits", notice).headline == "app #41: run.waits"
    assert describe_notice("job.failed", make_notice()).headline == "app #41: job.failed"
