"""The search box of a log."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import Desk
from tests.browser.site import LogPage, Site


def test_a_text_is_found_from_hit_to_hit(desk: Desk, site: Site) -> None:
    log = LogPage(desk.page(), site, site.jobs["big"]).open("#L100000")
    expect(log.line(100_000)).to_be_visible()
    log.page.keyboard.press("/")
    box = log.page.get_by_role("searchbox", name="Find in the log")
    expect(box).to_be_focused()
    box.fill("is DEPRECATED")
    count = log.page.locator(".log-find output")
    # From where the reader is; in any case of letters; the folded ones count.
    expect(count).to_have_text("101 of 200")
    expect(log.line(100_501).locator("mark.current")).to_have_text("is deprecated")
    box.press("Enter")
    expect(count).to_have_text("102 of 200")
    expect(log.line(101_501).locator("mark.current")).to_have_text("is deprecated")
    box.press("Shift+Enter")
    box.press("Shift+Enter")
    expect(log.line(99_501).locator("mark.current")).to_be_visible()
    log.await_in_view(log.line(99_501))
    box.press("Escape")
    expect(log.page.locator("mark")).to_have_count(0)


def test_a_regular_expression_finds_and_opens_what_is_folded(desk: Desk, site: Site) -> None:
    log = LogPage(desk.page(), site, site.jobs["big"]).open()
    log.box.focus()
    log.page.keyboard.press("Control+f")
    box = log.page.get_by_role("searchbox", name="Find in the log")
    expect(box).to_be_focused()
    log.page.get_by_label("Regular expression").check(force=True)
    box.fill(r"^line 12[34]\d of")
    expect(log.page.locator(".log-find output")).to_have_text(re.compile("^1 of 20$"))
    expect(log.line(1231).locator("mark.current")).to_have_text("line 1230 of")
    box.press("Shift+Enter")
    expect(log.line(1250).locator("mark.current")).to_be_visible()


def test_case_is_told_apart_where_wanted_and_what_is_not_there_is_said(desk: Desk, site: Site) -> None:
    log = LogPage(desk.page(), site, site.jobs["big"]).open()
    box = log.page.get_by_role("searchbox", name="Find in the log")
    log.page.get_by_label("Match case").check(force=True)
    box.fill("error: expected")
    expect(log.page.locator(".log-find output")).to_have_text("no line")
    box.fill("ERROR: expected")
    expect(log.page.locator(".log-find output")).to_have_text("1 of 1")


def test_a_bad_expression_is_explained(desk: Desk, site: Site) -> None:
    page = desk.page()
    log = LogPage(page, site, site.jobs["big"]).open()
    page.get_by_label("Regular expression").check(force=True)
    page.get_by_role("searchbox", name="Find in the log").fill("(unclosed")
    wrong = page.locator(".log-find output")
    expect(wrong).to_have_class(re.compile("wrong"))
    expect(wrong).not_to_have_text(re.compile("^(no line|…)?$"))
    # The browser itself notes that a request was refused.
    assert all("422" in complaint for complaint in desk.complaints)
    desk.complaints.clear()
    assert log.drawn() > 0
