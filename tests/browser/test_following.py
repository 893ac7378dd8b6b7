"""A log that grows while it is looked at."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Desk
from tests.browser.printers import LIVE, LOST
from tests.browser.site import LogPage, Site


def test_what_is_printed_appears_and_is_followed_until_somebody_scrolls_up(desk: Desk, site: Site) -> None:
    pipe = site.make_pipe("live")
    pipeline, run_id = site.run({".howdah.yml": LIVE.format(pipe=pipe)}, "live")
    pipeline.await_job(run_id, "live", "running")
    log = LogPage(desk.page(), site, pipeline.job(run_id, "live")["id"])
    with pipe.open("w", buffering=1) as job:
        job.write("hello\n")
        log.open()
        expect(log.rows.filter(has_text=re.compile("hello$"))).to_be_visible()
        expect(log.head("first step")).to_be_attached()
        expect(log.head("second step")).to_contain_text("1 line")
        expect(log.page.get_by_label("follow the end")).to_be_checked()
        expect(log.page.locator(".log-status")).to_have_text("live")

        job.write("".join(f"line {number}\n" for number in range(300)))
        last = log.rows.filter(has_text=re.compile(r"line 299$"))
        expect(last).to_be_visible()
        log.await_in_view(last)
        # Heard and fetched lines are the same: each is there once.
        for number in (298, 299):
            expect(log.rows.filter(has_text=re.compile(rf"line {number}$"))).to_have_count(1)

        log.press("PageUp")
        expect(log.page.get_by_label("follow the end")).not_to_be_checked()
        log.settle()
        top = log.rows.nth(10)
        held, before = top.get_attribute("data-line"), log.top_of(top)
        job.write("".join(f"more {number}\n" for number in range(300)))
        expect(log.page.locator(".log-stuck")).to_contain_text("601 lines")
        assert held is not None
        assert log.top_of(log.line(int(held) + 1)) == pytest.approx(before, abs=1)

        log.press("End")
        expect(log.page.get_by_label("follow the end")).to_be_checked()
        job.write("the last words\n")
        expect(log.rows.filter(has_text="the last words")).to_be_visible()
        job.write("done\n")
    expect(log.page.locator(".log-status")).to_contain_text("the job succeeded")
    expect(log.page.get_by_label("follow the end")).to_be_hidden()
    # What was open stays open; nothing was lost where the stream ended.
    expect(log.rows.filter(has_text="the last words")).to_be_visible()
    log.press("Home")
    expect(log.rows.filter(has_text=re.compile("hello$"))).to_be_visible()


def test_the_page_outlives_its_replica_and_shows_every_line_once(desk: Desk, site: Site) -> None:
    pipe = site.make_pipe("outlived")
    pipeline, run_id = site.run({".howdah.yml": LIVE.format(pipe=pipe)}, "outlived")
    pipeline.await_job(run_id, "live", "running")
    log = LogPage(desk.page(), site, pipeline.job(run_id, "live")["id"])
    with pipe.open("w", buffering=1) as job:
        job.write("first\n")
        log.open()
        expect(log.rows.filter(has_text=re.compile("first$"))).to_be_visible()
        site.replace_ingest()
        job.write("second\n")
        expect(log.rows.filter(has_text=re.compile("second$"))).to_be_visible()
        job.write("done\n")
    expect(log.page.locator(".log-status")).to_contain_text("3 lines: the job succeeded")
    for text in ("first", "second"):
        expect(log.rows.filter(has_text=re.compile(f"{text}$"))).to_have_count(1)
    # The browser itself notes that nobody answered for a while.
    assert all("net::ERR" in complaint for complaint in desk.complaints)
    desk.complaints.clear()


def test_the_next_attempt_takes_over_and_the_first_can_be_chosen(desk: Desk, site: Site) -> None:
    pipe = site.make_pipe("lost")
    pipeline, run_id = site.run({".howdah.yml": LOST.format(pipe=pipe)}, "lost")
    pipeline.await_job(run_id, "lost", "running")
    log = LogPage(desk.page(), site, pipeline.job(run_id, "lost")["id"]).open()
    expect(log.rows.filter(has_text="this is attempt 1")).to_be_visible()
    site.replace_executor()
    expect(log.rows.filter(has_text="this is attempt 2")).to_be_visible()
    expect(log.rows.filter(has_text="this is attempt 1")).to_have_count(0)
    assert pipeline.await_end(run_id) == "succeeded"
    expect(log.page.locator(".log-status")).to_contain_text("the job succeeded")
    chooser = log.page.get_by_label("Attempt", exact=True)
    expect(chooser).to_have_value("2")
    chooser.select_option("1")
    log.page.wait_for_url(re.compile("attempt=1$"))
    expect(log.rows.filter(has_text="this is attempt 1")).to_be_visible()
    log.page.goto("about:blank")
    log.open("?attempt=2#L1")
    expect(log.line(1)).to_be_visible()
    expect(log.line(1)).not_to_contain_text("attempt 1")
