"""A log of 200,000 lines on its page: opened, jumped in, linked to, folded, filtered, copied."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Desk
from tests.browser.site import BIG_LINES, LogPage, Site

# However long the log, so many rows at most are in the document.
MOST_ROWS = 120
ERROR_LINE = 199_951
ERROR = "ERROR: expected 3, got 4 in test_thing.py:88"


def test_a_huge_log_opens_at_its_failing_line_with_few_rows(desk: Desk, site: Site) -> None:
    log = LogPage(desk.page(), site, site.jobs["big"]).open()
    expect(log.page.locator(".log-status")).to_contain_text(f"{BIG_LINES + 1:,} lines: the job failed")
    failing = log.page.locator(".log-failing")
    expect(failing).to_contain_text(f"line {ERROR_LINE:,}")
    expect(failing).to_contain_text(ERROR)
    expect(log.line(ERROR_LINE)).to_contain_text(ERROR)
    expect(log.page.locator(".log-line.failing")).to_have_count(1)
    expect(log.line(ERROR_LINE)).to_have_class(re.compile(r"\bfailing\b"))
    assert log.drawn() <= MOST_ROWS


def test_no_more_is_fetched_than_what_is_looked_at(desk: Desk, site: Site) -> None:
    page = desk.page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/log/lines?" in request.url else None)
    log = LogPage(page, site, site.jobs["big"]).open()
    expect(log.line(ERROR_LINE)).to_contain_text(ERROR)
    log.press("End")
    expect(log.line(BIG_LINES)).to_contain_text(f"line {BIG_LINES - 1} of")
    assert len(asked) <= 6
    # A scroll bar that is dragged over everything passes a thousand places, and asks for those that are drawn.
    log.box.evaluate(
        """async (box) => {
            for (let place = 1000; place >= 0; place -= 1) {
                box.scrollTop = (box.scrollHeight * place) / 1000;
                if (place % 50 === 0) await new Promise(requestAnimationFrame);
            }
        }"""
    )
    expect(log.head("install")).to_be_visible()
    expect(log.page.locator(".log-line.waiting")).to_have_count(0)
    assert len(asked) <= 6 + 2 * 21
    assert log.drawn() <= MOST_ROWS


def test_what_has_been_scrolled_past_is_not_waited_for(desk: Desk, site: Site) -> None:
    page = desk.page()
    log = LogPage(page, site, site.jobs["big"]).open()
    expect(log.line(ERROR_LINE)).to_contain_text(ERROR)
    page.route("**/log/lines?*from=100000&*", lambda _route: None)  # never answered
    with page.expect_request(re.compile("from=100000&")):
        page.evaluate("location.hash = '#L100100'")
    with page.expect_event("requestfailed", lambda request: "from=100000&" in request.url):
        log.press("End")
    expect(log.line(BIG_LINES)).to_contain_text(f"line {BIG_LINES - 1} of")


def test_every_line_is_where_its_number_says(desk: Desk, site: Site) -> None:
    log = LogPage(desk.page(), site, site.jobs["big"])
    for number in (1, 1999, 2002, 77_777, 180_008, BIG_LINES):
        log.open(f"#L{number}")
        expect(log.line(number)).to_contain_text(f"line {number - 1} of the big job")
        expect(log.line(number)).to_have_class(re.compile("selected"))
        log.await_in_view(log.line(number))
        log.page.goto("about:blank")


def test_the_keys_reach_both_ends(desk: Desk, site: Site) -> None:
    log = LogPage(desk.page(), site, site.jobs["big"]).open()
    log.press("End")
    expect(log.line(BIG_LINES)).to_contain_text(f"line {BIG_LINES - 1} of")
    log.await_in_view(log.line(BIG_LINES))
    log.press("Home")
    expect(log.head("install")).to_be_visible()
    log.press("PageDown")
    expect(log.head("install")).not_to_be_visible()


def test_wrapped_and_unwrapped_lines_end_at_the_same_place(desk: Desk, site: Site) -> None:
    log = LogPage(desk.page(), site, site.jobs["big"]).open()
    wrap = log.page.get_by_label("wrap")
    expect(wrap).to_be_checked()
    for _ in range(2):
        log.press("End")
        expect(log.line(BIG_LINES)).to_contain_text("line")
        log.await_in_view(log.line(BIG_LINES))
        log.press("Home")
        wrap.set_checked(not wrap.is_checked())
    log.open("#L100008")
    expect(log.line(100_008)).to_contain_text("line 100007")
    wrap.set_checked(True)
    tall = log.line(100_008).bounding_box()
    wrap.set_checked(False)
    low = log.line(100_008).bounding_box()
    assert tall is not None
    assert low is not None
    assert tall["height"] > 1.5 * low["height"]


def test_a_link_opens_what_hides_its_line_and_selects_the_range(desk: Desk, site: Site) -> None:
    log = LogPage(desk.page(), site, site.jobs["big"]).open()
    expect(log.line(ERROR_LINE)).to_be_visible()
    log.press("Home")
    # The step that went well, and a group that does not hold the failing line, are shut by themselves.
    expect(log.head("install")).to_have_attribute("aria-expanded", "false")
    expect(log.head("first group")).to_have_attribute("aria-expanded", "false")
    log.page.goto("about:blank")
    log.open("#L2500-L2502")
    expect(log.page.locator(".log-line.selected")).to_have_count(3)
    log.await_in_view(log.line(2500))
    log.page.goto("about:blank")
    log.open("?attempt=1#L1500")
    expect(log.line(1500)).to_contain_text("line 1499 of")
    log.await_in_view(log.line(1500))


def test_clicks_on_numbers_make_the_link(desk: Desk, site: Site) -> None:
    log = LogPage(desk.page(), site, site.jobs["big"]).open("#L100000")
    log.line(100_003).locator("a.log-number").click()
    assert log.page.url.endswith("#L100003")
    log.line(100_006).locator("a.log-number").click(modifiers=["Shift"])
    assert log.page.url.endswith("#L100003-L100006")
    expect(log.page.locator(".log-line.selected")).to_have_count(4)


def test_folding_keeps_the_head_in_place_and_is_remembered(desk: Desk, site: Site) -> None:
    log = LogPage(desk.page(), site, site.jobs["big"]).open()
    expect(log.line(ERROR_LINE)).to_be_visible()
    log.press("Home")
    head = log.head("install")
    before = log.top_of(head)
    head.click()
    expect(head).to_have_attribute("aria-expanded", "true")
    assert log.top_of(head) == pytest.approx(before, abs=1)
    expect(log.line(1)).to_contain_text("line 0 of")
    log.page.reload()
    expect(log.line(ERROR_LINE)).to_be_visible()
    log.press("Home")
    expect(head).to_have_attribute("aria-expanded", "true")
    head.focus()
    log.page.keyboard.press("Enter")
    expect(head).to_have_attribute("aria-expanded", "false")
    expect(head).to_be_focused()


def test_the_head_of_what_is_read_stays_in_view(desk: Desk, site: Site) -> None:
    log = LogPage(desk.page(), site, site.jobs["big"]).open(f"#L{ERROR_LINE}")
    stuck = log.page.locator(".log-stuck")
    expect(stuck).to_contain_text(re.compile("suite . tests of the engine"))
    stuck.get_by_role("button").click()
    expect(log.head("tests of the engine")).to_have_attribute("aria-expanded", "false")
    log.await_in_view(log.head("tests of the engine"))


def test_only_the_lines_of_a_level_are_shown(desk: Desk, site: Site) -> None:
    log = LogPage(desk.page(), site, site.jobs["big"]).open()
    level = log.page.get_by_label("Lines")
    expect(level.get_by_role("option", name="errors (1)", exact=True)).to_be_attached()
    level.select_option("error")
    expect(log.rows).to_have_count(1)
    expect(log.rows).to_contain_text(ERROR)
    level.select_option("warning")
    log.press("End")
    expect(log.line(199_501)).to_contain_text("WARNING: line 199500")
    assert log.drawn() <= MOST_ROWS
    # A line that is linked to is not hidden by a filter.
    level.select_option("error")
    expect(log.rows).to_have_count(1)
    log.page.goto(log.page.url.split("#")[0] + "#L7")
    expect(log.line(7)).to_be_visible()
    expect(level).to_have_value("")


def test_a_log_without_such_lines_says_so(desk: Desk, site: Site) -> None:
    log = LogPage(desk.page(), site, site.jobs["hostile"]).open()
    log.page.get_by_label("Lines").select_option("error")
    expect(log.box).to_have_attribute("data-note", "no line is marked so")
    expect(log.page.locator(".log-line")).to_have_count(0)
    log.page.get_by_label("Lines").select_option("")
    expect(log.box).to_have_attribute("data-note", "")
    expect(log.rows.first).to_be_visible()


def test_times_are_shown_as_wanted_and_that_is_remembered(desk: Desk, site: Site) -> None:
    log = LogPage(desk.page(), site, site.jobs["big"]).open("#L1000")
    expect(log.page.locator(".log-time")).to_have_count(0)
    log.page.get_by_label("Times").select_option("step")
    expect(log.line(1000).locator(".log-time")).to_have_text(re.compile(r"^\d+\.\ds$|^\d+:\d\d$"))
    log.page.get_by_label("Times").select_option("clock")
    expect(log.line(1000).locator(".log-time")).to_have_text(re.compile(r"^\d\d:\d\d:\d\d\.\d{3}$"))
    log.page.reload()
    expect(log.line(1000).locator(".log-time")).to_have_text(re.compile(r"^\d\d:\d\d:\d\d\.\d{3}$"))


def test_what_is_copied_has_its_line_breaks_and_no_numbers(desk: Desk, site: Site) -> None:
    page = desk.page(permissions=["clipboard-read", "clipboard-write"])
    log = LogPage(page, site, site.jobs["big"]).open("#L100002-L100004")
    page.get_by_label("Times").select_option("clock")
    expect(log.line(100_002)).to_contain_text("line 100001")
    wanted = "\n".join(f"line {number} of the big job wide " for number in (100_001, 100_002, 100_003))
    log.press("Control+c")
    assert page.evaluate("navigator.clipboard.readText()") == wanted
    page.evaluate(
        """() => {
            const texts = [2, 4].map((last) => document.querySelector(`[data-line="10000${last - 1}"] .log-text`));
            getSelection().setBaseAndExtent(texts[0], 0, texts[1], texts[1].childNodes.length);
            document.execCommand("copy");
        }"""
    )
    assert page.evaluate("navigator.clipboard.readText()") == wanted


def test_a_log_that_retention_removed_is_said_to_be_gone(desk: Desk, site: Site) -> None:
    pipeline, run_id = site.run({".howdah.yml": "on: push\njobs: {old: {run: 'echo it was here'}}\n"}, "old")
    pipeline.await_end(run_id)
    job_id = pipeline.job(run_id, "old")["id"]
    site.await_packed(job_id)
    site.cluster.sql("delete from log_chunk where job_id = %s", job_id)
    site.cluster.sql("delete from log_block where job_id = %s", job_id)
    page = desk.page()
    page.goto(f"{site.url}/jobs/{job_id}")
    expect(page.locator(".log-status")).to_contain_text("it has been removed")
    expect(page.locator(".log-line")).to_have_count(0)
    # The browser itself notes what was answered.
    assert all("410" in complaint for complaint in desk.complaints)
    desk.complaints.clear()
